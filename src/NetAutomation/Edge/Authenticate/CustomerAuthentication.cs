using Microsoft.AspNetCore.Connections.Features;
using NetAutomation.Tenants;
using NetAutomation.Web;
using Problems = NetAutomation.Web.Problems;

namespace NetAutomation.Edge.Authenticate;

/// <summary>
/// Two proofs that must agree: the endpoint of the connection and the API key of the request. Every failure has the same answer; only a
/// metric shows the reason.
/// </summary>
internal sealed class CustomerAuthentication(TenantDirectory tenants, EdgeMetrics metrics) : ICallerCheck
{
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

        if (Array.Exists(_documents, path => context.Request.Path.StartsWithSegments(path, StringComparison.Ordinal)))
        {
            await next(context);
            return;
        }

        var (caller, refusal) = await Prove(context, tenant, endpoint);
        if (caller is null)
        {
            await Refuse(context, refusal!);
            return;
        }

        context.Features.Set(caller);
        await ProofFeature.Met(context, next);
    }

    public async Task<bool> StillValid(HttpContext context) =>
        await EndpointBindings.TenantOf(context) is var (tenant, endpoint) && (await Prove(context, tenant, endpoint)).Caller is not null;

    private async Task<(Caller? Caller, string? Refusal)> Prove(HttpContext context, TenantId tenant, string endpoint) =>
        BearerToken.Of(context) is not { } token
        ? (null, "no_key")
        : await tenants.ByKey(token, context.RequestAborted) switch
        {
            null => (null, "key_unknown"),
            var key when key.Tenant != tenant => (null, "key_of_another_tenant"),
            var key => (new Caller(tenant, key.Key, key.Member, key.Role, endpoint, key.Suspended), null),
        };

    private Task Refuse(HttpContext context, string reason)
    {
        metrics.Unauthorized(Listener.Customer, reason);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.Unauthorized.With().ExecuteAsync(context);
    }
}
