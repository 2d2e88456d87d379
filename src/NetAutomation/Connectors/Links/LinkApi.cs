using System.Text.Json;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Enrol;
using NetAutomation.Connectors.Peers;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Links;

/// <summary>What connectors call, on their own listener.</summary>
internal sealed partial class LinkApi(
    LinkHub hub, LinkStore store, PeerIdentity self, JoinConnector join, ServerCertificate certificate, IDialGate gate,
    ConnectorReleases releases, IOptions<ConnectorsOptions> options, TimeProvider time, ILogger<LinkApi> log)
{
    private static readonly object _nonceKey = new();

    public void Map(IEndpointRouteBuilder app)
    {
        app.MapGet(TunnelProtocol.ChallengePath, GiveChallenge);
        app.MapPost(TunnelProtocol.JoinPath, Join);
        app.MapGet(TunnelProtocol.CheckPath, Check);
        app.MapGet(TunnelProtocol.AttachPath, Attach);
        app.MapPost($"{TunnelProtocol.TunnelsPath}/{{id}}", OpenTunnel);
        app.MapPut($"{TunnelProtocol.DialsPath}/{{id}}", FailDial);
        app.MapPut($"{TunnelProtocol.CutsPath}/{{id}}", ConfirmCut);
    }

    // The nonce lives on the connection, so it is good for this connection and this process alone.
    private async Task GiveChallenge(HttpContext http)
    {
        if (await EndpointBindings.TenantOf(http) is null)
        {
            Refuse(http, StatusCodes.Status403Forbidden, RefusalReasons.Endpoint);
            return;
        }

        var nonce = new Nonce(Proof.RandomId(), time.GetTimestamp());
        var items = http.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            items[_nonceKey] = nonce;
        }

        await Answer(http, JsonSerializer.SerializeToUtf8Bytes(new Challenge(nonce.Text), TunnelJson.Default.Challenge));
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
            || statement.Nonce != TakeNonce(http)?.Text
            || await join.Bind(tenant, request, http.RequestAborted) is not { } reply)
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Proof);
            return;
        }

        await Answer(http, JsonSerializer.SerializeToUtf8Bytes(reply, TunnelJson.Default.JoinReply));
    }

    /// <summary>How a connector stands, for its <c>doctor</c>: nothing is attached and nothing changes.</summary>
    private async Task Check(HttpContext http)
    {
        if (await Admit(http) is not { } tenant)
        {
            return;
        }

        var (connector, known) = await Find(http, tenant);
        using var key = known?.Key();
        var statement = key is null ? null : Proof.OpenCheck(key, http.Request.Headers[TunnelProtocol.ProofHeader].ToString());
        if (Prove(http, connector, statement?.Audience, statement?.Connector, statement?.Nonce, statement?.IssuedAt) is null
            || !MayServe(http, known!.State))
        {
            return;
        }

        var links = await store.CountLinks(tenant, connector, http.RequestAborted);
        await Answer(
            http, JsonSerializer.SerializeToUtf8Bytes(new CheckReply(links, releases.Newest?.ToString(3)), TunnelJson.Default.CheckReply));
    }

    private async Task Attach(HttpContext http)
    {
        if (await Admit(http) is not { } tenant)
        {
            return;
        }

        var (connector, known) = await Find(http, tenant);
        using var key = known?.Key();
        var statement = key is null ? null : Proof.OpenAttach(key, http.Request.Headers[TunnelProtocol.ProofHeader].ToString());
        if (Prove(http, connector, statement?.Audience, statement?.Connector, statement?.Nonce, statement?.IssuedAt) is not { } nonce
            || !MayServe(http, known!.State))
        {
            return;
        }

        if (statement!.Generation is < 1 or long.MaxValue || statement.Instance.Length is < 1 or > 100)
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Proof);
            return;
        }

        // By the database's clock, and rather too early than too late.
        var challenged = known.Now - time.GetElapsedTime(nonce.At);
        await Serve(
            http, new LinkSession(ConnectorSessionId.New(), connector, tenant, known.SiteId, statement.Generation, http, time), statement,
            challenged);
    }

    private async Task Serve(HttpContext http, LinkSession link, AttachStatement statement, DateTimeOffset challenged)
    {
        // The row comes first: the heartbeat closes links that have none.
        var state =
            await store.Attached(
                link, options.Value.Replica, self.Url, statement, challenged, http.Connection.RemoteIpAddress?.ToString(),
                http.RequestAborted);
        if (state == "cloned")
        {
            hub.Cut(link.Connector);
        }

        if (!MayServe(http, state))
        {
            return;
        }

        try
        {
            await gate.FenceSeen(link.Tenant, statement.HighestFence, http.RequestAborted);
            hub.Supersede(link.Connector, link.Generation);
            if (!hub.Add(link))
            {
                http.Response.StatusCode = hub.On(link.ConnectionId) is null
                    ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status409Conflict;
                http.Response.Headers.RetryAfter = "2";
                return;
            }

            Log.Attached(log, $"{link.Connector}", $"{link.Id}");
            http.Response.ContentType = "application/x-ndjson";
            await ControlLines.Write(
                http.Response.Body, new Hello($"{link.Id}", options.Value.Replica, TunnelProtocol.MaxTunnels, time.GetUtcNow()),
                http.RequestAborted);
            await link.Write(http.Response.Body, http.RequestAborted);
        }
        finally
        {
            hub.Remove(link);
            await store.Detached(link, CancellationToken.None);
            Log.Detached(log, $"{link.Connector}", $"{link.Id}");
        }
    }

    private async Task<(ConnectorId Id, LinkStore.KnownConnector? Known)> Find(HttpContext http, TenantId tenant)
    {
        var connector = ConnectorId.Parse(http.Request.Headers[TunnelProtocol.ConnectorHeader].ToString());
        return (connector, await store.Find(tenant, connector, http.RequestAborted));
    }

    /// <summary>The challenge a statement answers; null where it proves nothing and the answer is already given.</summary>
    private Nonce? Prove(HttpContext http, ConnectorId connector, string? audience, string? claimed, string? nonce, DateTimeOffset? issued)
    {
        var given = TakeNonce(http);
        var reason = given is null || nonce != given.Text || audience != certificate.ServerName || claimed != $"{connector}"
            ? RefusalReasons.Proof
            : (time.GetUtcNow() - issued!.Value).Duration() > TunnelProtocol.ProofSkew ? RefusalReasons.Clock
            : null;
        if (reason is null)
        {
            return given;
        }

        Refuse(http, StatusCodes.Status401Unauthorized, reason);
        return null;
    }

    private static bool MayServe(HttpContext http, string state)
    {
        switch (state)
        {
            case "active":
                return true;
            case RefusalReasons.Superseded:
                Refuse(http, StatusCodes.Status409Conflict, state);
                return false;
            default:
                Refuse(http, StatusCodes.Status403Forbidden, state);
                return false;
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
        http.Response.StatusCode = hub.On(http.Connection.Id)?.Confirm(id) == true
            ? StatusCodes.Status204NoContent : StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    /// <summary>The tenant of the connection's endpoint; null where the answer is already given.</summary>
    private async Task<TenantId?> Admit(HttpContext http)
    {
        var binding = await EndpointBindings.TenantOf(http);
        var (status, reason) = binding is null ? (StatusCodes.Status403Forbidden, RefusalReasons.Endpoint)
            : !TunnelProtocol.Accepts(http.Request.Headers[TunnelProtocol.VersionHeader])
                ? (StatusCodes.Status426UpgradeRequired, RefusalReasons.Version)
            : hub.Draining ? (StatusCodes.Status503ServiceUnavailable, RefusalReasons.Draining)
            : (0, "");
        if (status == 0)
        {
            return binding!.Value.Tenant;
        }

        Refuse(http, status, reason);
        return null;
    }

    private static void Refuse(HttpContext http, int status, string reason)
    {
        http.Response.StatusCode = status;
        http.Response.Headers[TunnelProtocol.ReasonHeader] = reason;
        if (status == StatusCodes.Status426UpgradeRequired)
        {
            http.Response.Headers[TunnelProtocol.AcceptedHeader] = $"{TunnelProtocol.OldestAccepted}-{TunnelProtocol.Version}";
        }
        else if (status is StatusCodes.Status409Conflict or StatusCodes.Status503ServiceUnavailable)
        {
            http.Response.Headers.RetryAfter = "2";
        }
    }

    private static Nonce? TakeNonce(HttpContext http)
    {
        var items = http.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            return items.Remove(_nonceKey, out var nonce) ? (Nonce?)nonce : null;
        }
    }

    private static async Task Answer(HttpContext http, byte[] json)
    {
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }

    private sealed record Nonce(string Text, long At);

    private static partial class Log
    {
        [LoggerMessage(501, LogLevel.Information, "Connector {Connector} attached, session {Session}")]
        public static partial void Attached(ILogger logger, string connector, string session);

        [LoggerMessage(502, LogLevel.Information, "Connector {Connector} detached, session {Session}")]
        public static partial void Detached(ILogger logger, string connector, string session);
    }
}
