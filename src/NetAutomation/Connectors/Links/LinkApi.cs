using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Peers;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Connectors.Links;

/// <summary>The calls of connectors, on their own listener.</summary>
internal sealed partial class LinkApi(
    LinkHub hub, LinkStore store, PeerIdentity self, ServerCertificate certificate, IDialGate gate,
    ConnectorReleases releases, RateLimits rates, IOptions<ConnectorsOptions> options, TimeProvider clock, ILogger<LinkApi> log)
{
    private static readonly object _nonceKey = new();

    /// <summary>
    /// Call before the routes: what comes too often asks nothing of anybody. The calls of an attached link have no rate, since the service
    /// asked for them.
    /// </summary>
    public async Task Bound(HttpContext http, RequestDelegate next)
    {
        if (http.Features.Get<EndpointFeature>()?.EndpointId is { } endpoint && hub.On(http.Connection.Id) is null
            && rates.Connector(endpoint) is not null)
        {
            Refuse(http, StatusCodes.Status503ServiceUnavailable, RefusalReasons.Draining);
            return;
        }

        try
        {
            await next(http);
        }
        catch (NoConnectionException) when (!http.Response.HasStarted)
        {
            Refuse(http, StatusCodes.Status503ServiceUnavailable, RefusalReasons.Draining);
        }
    }

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
        if (await EndpointBindings.TenantOf(http) is not var (_, endpoint))
        {
            Refuse(http, StatusCodes.Status403Forbidden, RefusalReasons.Endpoint);
            return;
        }

        if (rates.Challenge(endpoint) is not null)
        {
            Refuse(http, StatusCodes.Status503ServiceUnavailable, RefusalReasons.Draining);
            return;
        }

        var nonce = new Nonce(Proof.RandomId(), clock.GetTimestamp());
        var items = http.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            items[_nonceKey] = nonce;
        }

        await Answer(http, new Challenge(nonce.Text), TunnelJson.Default.Challenge);
    }

    private async Task Join(HttpContext http)
    {
        if (await Admit(http) is not { } tenant || await Body(http, TunnelJson.Default.JoinRequest) is not { } request)
        {
            return;
        }

        var given = TakeNonce(http);
        using var key = given is null ? null : Proof.ReadPublicKey(request.PublicKey);
        var statement = key is null ? null : Proof.OpenJoin(key, request.Proof);
        if (given is null
            || statement is null
            || statement.Audience != certificate.ServerName
            || statement.TokenSha256 != Proof.Digest(request.Token)
            || statement.Nonce != given.Text
            || await store.Bind(tenant, request, http.RequestAborted) is not { } reply)
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Proof);
            return;
        }

        await Answer(http, reply, TunnelJson.Default.JoinReply);
    }

    /// <summary>Answers the connector's <c>doctor</c>: nothing is attached and nothing changes.</summary>
    private async Task Check(HttpContext http)
    {
        if (await Prove(http, Proof.OpenCheck, each => (each.Audience, each.Connector, each.Nonce, each.IssuedAt)) is { } proven)
        {
            var links = await store.CountLinks(proven.Tenant, proven.Connector, http.RequestAborted);
            await Answer(http, new CheckReply(links, releases.Newest?.ToString(3)), TunnelJson.Default.CheckReply);
        }
    }

    private async Task Attach(HttpContext http)
    {
        if (await Prove(http, Proof.OpenAttach, each => (each.Audience, each.Connector, each.Nonce, each.IssuedAt))
            is not var (tenant, connector, known, statement, nonce))
        {
            return;
        }

        if (statement.Generation is < 1 or long.MaxValue || statement.Instance.Length is < 1 or > 100)
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Proof);
            return;
        }

        // By the database's clock, and rather too early than too late.
        var challenged = known.Now - clock.GetElapsedTime(nonce.At);
        await Serve(
            http, new LinkSession(ConnectorSessionId.New(), connector, tenant, known.SiteId, statement.Generation, http, clock), statement,
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

        // What an attached link has to write waits for nobody.
        http.Features.Set<DatabaseBudget>(null);
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
                http.Response.Body, new Hello($"{link.Id}", options.Value.Replica, TunnelProtocol.MaxTunnels, clock.GetUtcNow()),
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

    /// <summary>Who proves to be which connector, with which statement; null where the answer is already given.</summary>
    private async Task<(TenantId Tenant, ConnectorId Connector, LinkStore.KnownConnector Known, T Statement, Nonce Nonce)?> Prove<T>(
        HttpContext http, Func<ECDsa, string, T?> open,
        Func<T, (string Audience, string Connector, string Nonce, DateTimeOffset IssuedAt)> read)
        where T : class
    {
        if (await Admit(http) is not { } tenant)
        {
            return null;
        }

        // Challenges have a rate, so proofs cost a bounded number of look-ups, whoever offers them.
        var given = TakeNonce(http);
        var connector = ConnectorId.Parse(http.Request.Headers[TunnelProtocol.ConnectorHeader].ToString());
        var known = given is null ? null : await store.Find(tenant, connector, http.RequestAborted);
        using var key = known?.Key();
        var statement = key is null ? null : open(key, http.Request.Headers[TunnelProtocol.ProofHeader].ToString());
        if (given is null || known is null || statement is null || (read(statement) is var claim
            && (claim.Nonce != given.Text || claim.Audience != certificate.ServerName || claim.Connector != $"{connector}")))
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Proof);
            return null;
        }

        if ((clock.GetUtcNow() - read(statement).IssuedAt).Duration() > TunnelProtocol.ProofSkew)
        {
            Refuse(http, StatusCodes.Status401Unauthorized, RefusalReasons.Clock);
            return null;
        }

        ProofFeature.Met(http);
        return MayServe(http, known.State) ? (tenant, connector, known, statement, given) : null;
    }

    private static bool MayServe(HttpContext http, string state)
    {
        if (state != "active")
        {
            Refuse(
                http, state == RefusalReasons.Superseded ? StatusCodes.Status409Conflict : StatusCodes.Status403Forbidden, state);
        }

        return state == "active";
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
        if (await Body(http, TunnelJson.Default.DialFailure) is { } failure)
        {
            http.Response.StatusCode = hub.On(http.Connection.Id)?.Fail(id, failure) == true
                ? StatusCodes.Status204NoContent : StatusCodes.Status404NotFound;
        }
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
            http.Features.Set(rates.UseOf(binding!.Value.Tenant).ConnectorConnections);
            return binding.Value.Tenant;
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

    /// <summary>Null where the body cannot be read; the answer is given then.</summary>
    private static async Task<T?> Body<T>(HttpContext http, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            if (await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted) is { } body)
            {
                return body;
            }
        }
        catch (JsonException)
        {
            // Answered below.
        }

        http.Response.StatusCode = StatusCodes.Status400BadRequest;
        return null;
    }

    private static Task Answer<T>(HttpContext http, T value, JsonTypeInfo<T> type) =>
        http.Response.WriteAsJsonAsync(value, type, "application/json", http.RequestAborted);

    private sealed record Nonce(string Text, long At);

    private static partial class Log
    {
        [LoggerMessage(501, LogLevel.Information, "Connector {Connector} attached, session {Session}")]
        public static partial void Attached(ILogger logger, string connector, string session);

        [LoggerMessage(502, LogLevel.Information, "Connector {Connector} detached, session {Session}")]
        public static partial void Detached(ILogger logger, string connector, string session);
    }
}
