using System.Text.Json;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Enrol;
using NetAutomation.Connectors.Peers;
using NetAutomation.Platform;
using NetAutomation.Tunnel;

namespace NetAutomation.Connectors.Links;

/// <summary>What connectors call, on their own listener.</summary>
internal sealed partial class LinkApi(
    LinkHub hub, LinkStore store, PeerIdentity self, JoinConnector join, ServerCertificate certificate, IDialGate gate, IOptions<ConnectorsOptions> options, TimeProvider time, ILogger<LinkApi> log)
{
    private static readonly object _nonceKey = new();

    public void Map(IEndpointRouteBuilder app)
    {
        app.MapGet(TunnelProtocol.ChallengePath, GiveChallenge);
        app.MapPost(TunnelProtocol.JoinPath, Join);
        app.MapGet(TunnelProtocol.AttachPath, Attach);
        app.MapPost($"{TunnelProtocol.TunnelsPath}/{{id}}", OpenTunnel);
        app.MapPut($"{TunnelProtocol.DialsPath}/{{id}}", FailDial);
        app.MapPut($"{TunnelProtocol.CutsPath}/{{id}}", ConfirmCut);
    }

    // The nonce lives on the connection, so it is good for this connection and this process alone.
    private static async Task GiveChallenge(HttpContext http)
    {
        if (await EndpointBindings.TenantOf(http) is null)
        {
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        var nonce = Proof.RandomId();
        var items = http.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            items[_nonceKey] = nonce;
        }

        await Answer(http, JsonSerializer.SerializeToUtf8Bytes(new Challenge(nonce), TunnelJson.Default.Challenge));
    }

    private async Task Join(HttpContext http)
    {
        if (await Admit(http) is not { } tenant)
        {
            return;
        }

        JoinRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync(http.Request.Body, TunnelJson.Default.JoinRequest, http.RequestAborted);
        }
        catch (JsonException)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        using var key = request is null ? null : Proof.ReadPublicKey(request.PublicKey);
        var statement = key is null ? null : Proof.OpenJoin(key, request!.Proof);
        if (statement is null
            || statement.Audience != certificate.ServerName
            || statement.TokenSha256 != Proof.Digest(request!.Token)
            || statement.Nonce != TakeNonce(http)
            || await join.Bind(tenant, request, http.RequestAborted) is not { } reply)
        {
            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        await Answer(http, JsonSerializer.SerializeToUtf8Bytes(reply, TunnelJson.Default.JoinReply));
    }

    private async Task Attach(HttpContext http)
    {
        if (await Admit(http) is not { } tenant)
        {
            return;
        }

        var connector = ConnectorId.Parse(http.Request.Headers[TunnelProtocol.ConnectorHeader].ToString());
        var known = await store.Find(tenant, connector, http.RequestAborted);
        using var key = known is null ? null : Proof.ReadPublicKey(Convert.ToBase64String(known.PublicKey));
        var statement = key is null ? null : Proof.OpenAttach(key, http.Request.Headers[TunnelProtocol.ProofHeader].ToString());
        if (statement is null
            || statement.Audience != certificate.ServerName
            || statement.Connector != $"{connector}"
            || (time.GetUtcNow() - statement.IssuedAt).Duration() > TunnelProtocol.ProofSkew
            || statement.Nonce != TakeNonce(http))
        {
            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        if (known!.State == "revoked")
        {
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        await gate.FenceSeen(tenant, statement.HighestFence, http.RequestAborted);
        await Serve(http, new LinkSession(ConnectorSessionId.New(), connector, tenant, known.SiteId, http, time), statement);
    }

    private async Task Serve(HttpContext http, LinkSession link, AttachStatement statement)
    {
        // The row comes first: the heartbeat closes links that have none.
        await store.Attached(link, options.Value.Replica, self.Url, statement.Version, statement.HighestFence, http.RequestAborted);
        try
        {
            if (!hub.Add(link))
            {
                http.Response.StatusCode = hub.On(link.ConnectionId) is null ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status409Conflict;
                http.Response.Headers.RetryAfter = "2";
                return;
            }

            Log.Attached(log, $"{link.Connector}", $"{link.Id}");
            http.Response.ContentType = "application/x-ndjson";
            await ControlLines.Write(http.Response.Body, new Hello($"{link.Id}", options.Value.Replica, TunnelProtocol.MaxTunnels, time.GetUtcNow()), http.RequestAborted);
            await link.Write(http.Response.Body, http.RequestAborted);
        }
        finally
        {
            hub.Remove(link);
            await store.Detached(link, CancellationToken.None);
            Log.Detached(log, $"{link.Connector}", $"{link.Id}");
        }
    }

    private async Task OpenTunnel(HttpContext http, string id)
    {
        if (hub.On(http.Connection.Id) is not { } link)
        {
            http.Response.StatusCode = StatusCodes.Status409Conflict;
            return;
        }

        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        http.Response.ContentType = "application/octet-stream";
        if (link.Accept(id, http) is not { } stream)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            await http.Response.StartAsync(http.RequestAborted);
            await using var lost = http.RequestAborted.Register(stream.Abort);
            // Returning earlier would leave the owner's pending read hanging for ever.
            await stream.Finished;
        }
        finally
        {
            stream.Abort();
            link.Leave(stream);
        }
    }

    private async Task FailDial(HttpContext http, string id)
    {
        DialFailure? failure;
        try
        {
            failure = await JsonSerializer.DeserializeAsync(http.Request.Body, TunnelJson.Default.DialFailure, http.RequestAborted);
        }
        catch (JsonException)
        {
            failure = null;
        }

        http.Response.StatusCode = failure is null ? StatusCodes.Status400BadRequest
            : hub.On(http.Connection.Id)?.Fail(id, failure) == true ? StatusCodes.Status204NoContent
            : StatusCodes.Status404NotFound;
    }

    private Task ConfirmCut(HttpContext http, string id)
    {
        http.Response.StatusCode = hub.On(http.Connection.Id)?.Confirm(id) == true ? StatusCodes.Status204NoContent : StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    /// <summary>The tenant of the connection's endpoint; null where the answer is already given.</summary>
    private async Task<TenantId?> Admit(HttpContext http)
    {
        var binding = await EndpointBindings.TenantOf(http);
        var status = binding is null ? StatusCodes.Status403Forbidden
            : http.Request.Headers[TunnelProtocol.VersionHeader] != $"{TunnelProtocol.Version}" ? StatusCodes.Status426UpgradeRequired
            : hub.Draining ? StatusCodes.Status503ServiceUnavailable
            : 0;
        if (status == 0)
        {
            return binding!.Value.Tenant;
        }

        http.Response.StatusCode = status;
        http.Response.Headers.RetryAfter = "2";
        return null;
    }

    private static string? TakeNonce(HttpContext http)
    {
        var items = http.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            return items.Remove(_nonceKey, out var nonce) ? (string?)nonce : null;
        }
    }

    private static async Task Answer(HttpContext http, byte[] json)
    {
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }

    private static partial class Log
    {
        [LoggerMessage(401, LogLevel.Information, "Connector {Connector} attached, session {Session}")]
        public static partial void Attached(ILogger logger, string connector, string session);

        [LoggerMessage(402, LogLevel.Information, "Connector {Connector} detached, session {Session}")]
        public static partial void Detached(ILogger logger, string connector, string session);
    }
}
