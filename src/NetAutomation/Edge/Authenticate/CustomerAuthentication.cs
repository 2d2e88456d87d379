using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using NetAutomation.Access;
using NetAutomation.Web;
using NetAutomation.Web.Rates;
using Problems = NetAutomation.Web.Problems;

namespace NetAutomation.Edge.Authenticate;

/// <summary>
/// Two proofs that must agree: the endpoint of the connection and the API key of the request. Every failure has the same answer; only a
/// metric shows the reason.
/// </summary>
internal sealed class CustomerAuthentication(KeyDirectory keys, RateLimits rates, EdgeMetrics metrics) : ICallerCheck
{
    private const string KeyUnknown = "key_unknown";

    // A customer's VPC may have no internet access, so documents are served here. They hold no data of a tenant.
    private static readonly string[] _documents = ["/openapi", "/swagger", "/problems"];

    public async Task Handle(HttpContext context, RequestDelegate next)
    {
        if (await EndpointBindings.TenantOf(context) is not var (tenant, endpoint))
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
            await Refuse(context, context.Features.Get<EndpointFeature>()?.EndpointId is null ? "no_endpoint" : "endpoint_not_bound");
            return;
        }

        if (rates.Tenant(context, tenant) is { } often)
        {
            await often.ExecuteAsync(context);
            return;
        }

        if (Array.Exists(_documents, path => context.Request.Path.StartsWithSegments(path, StringComparison.Ordinal)))
        {
            await next(context);
            return;
        }

        var hash = BearerToken.Of(context) is { } key ? Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key))) : null;
        if (rates.Attempt(context, tenant, endpoint, hash) is { } tooOften)
        {
            await tooOften.ExecuteAsync(context);
            return;
        }

        var (caller, refusal) = await Prove(context, tenant, endpoint);
        if (caller is null)
        {
            if (refusal == KeyUnknown)
            {
                rates.Refuted(tenant, hash);
            }

            await Refuse(context, refusal!);
            return;
        }

        if (rates.Proven(context, tenant, endpoint, hash!) is { } keyTooOften)
        {
            await keyTooOften.ExecuteAsync(context);
            return;
        }

        var (use, kind) = (rates.UseOf(tenant), IsStream(context) ? AtATime.Streams : AtATime.Requests);
        using var place = use.Enter(kind);
        if (place is null)
        {
            await rates.Full(kind).ExecuteAsync(context);
            return;
        }

        context.Features.Set(use.Connections);
        context.Features.Set(caller);
        await ProofFeature.Met(context, next);
    }

    public async Task<bool> StillValid(HttpContext context) =>
        await EndpointBindings.TenantOf(context) is var (tenant, endpoint) && (await Prove(context, tenant, endpoint)).Caller is not null;

    /// <summary>The answer waits or streams, and holds no database connection meanwhile.</summary>
    private static bool IsStream(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<OwnTransaction>() is not null
        && (context.Request.Query.ContainsKey("wait")
            || context.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase));

    private async Task<(Caller? Caller, string? Refusal)> Prove(HttpContext context, TenantId tenant, string endpoint) =>
        BearerToken.Of(context) is not { } token
        ? (null, "no_key")
        : await keys.ByKey(token, context.RequestAborted) switch
        {
            null => (null, KeyUnknown),
            var key when key.Tenant != tenant => (null, "key_of_another_tenant"),
            var key => (new Caller(tenant, key.Key, key.Member, key.Name, key.Role, endpoint, key.Suspended), null),
        };

    private Task Refuse(HttpContext context, string reason)
    {
        metrics.Unauthorized(Listener.Customer, reason);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.Unauthorized.With().ExecuteAsync(context);
    }
}
