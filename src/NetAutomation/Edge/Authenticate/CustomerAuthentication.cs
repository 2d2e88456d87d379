using Microsoft.AspNetCore.Connections.Features;
using NetAutomation.Onboarding;
using NetAutomation.Platform;
using Problems = NetAutomation.Platform.Problems;

namespace NetAutomation.Edge.Authenticate;

/// <summary>
/// Two proofs that must agree: the endpoint the connection came through and the API key of the request. Every failure is answered with the
/// same words; the reason is counted only.
/// </summary>
internal sealed class CustomerAuthentication(TenantDirectory tenants, EdgeMetrics metrics)
{
    // The customer's VPC has no internet, so documents are read here; they hold nothing of a tenant.
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

        if (BearerToken.Of(context) is not { } token)
        {
            await Refuse(context, "no_key");
        }
        else if (await tenants.ByKey(token, context.RequestAborted) is not { } key)
        {
            await Refuse(context, "key_unknown");
        }
        else if (key.Tenant != tenant)
        {
            await Refuse(context, "key_of_another_tenant");
        }
        else
        {
            context.Features.Set(new Caller(tenant, key.Key, key.Member, key.Role, endpoint, key.Suspended));
            await next(context);
        }
    }

    private Task Refuse(HttpContext context, string reason)
    {
        metrics.Unauthorized(Listener.Customer, reason);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.Unauthorized.With().ExecuteAsync(context);
    }
}
