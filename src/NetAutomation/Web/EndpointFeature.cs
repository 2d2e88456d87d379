using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace NetAutomation.Web;

/// <summary>
/// Connection feature of the listeners behind the load balancer: the VPC endpoint the connection came through. The binding may
/// change while the connection is open, so the tenant is asked for again with every request.
/// </summary>
/// <param name="EndpointId">Null on a connection of the load balancer itself (PROXY LOCAL), which reaches health only.</param>
/// <param name="CurrentTenant">The tenant the endpoint is bound to now; null where it is bound to none.</param>
internal sealed record EndpointFeature(string? EndpointId, Func<CancellationToken, ValueTask<TenantId?>> CurrentTenant);

/// <summary>
/// Puts a listener behind the load balancer: PROXY protocol v2, then TLS with the service's certificate. Serves hosts other than the main
/// one.
/// </summary>
internal delegate void EndpointTransport(ListenOptions listen);

/// <summary>
/// Makes the transport of a server of this process, which lets in no more connections than the process can bear. All servers share the
/// limits, whatever services each has.
/// </summary>
internal delegate IConnectionListenerFactory BoundedTransport(IServiceProvider server);

/// <summary>Connection feature: until it is told that a caller was proven, the connection lives shortly.</summary>
internal sealed record ProofFeature(Action Proven)
{
    /// <summary>The request has proven its caller, so its connection may stay.</summary>
    public static void Met(HttpContext context) => context.Features.Get<ProofFeature>()?.Proven();

    /// <inheritdoc cref="Met(HttpContext)"/>
    public static Task Met(HttpContext context, RequestDelegate next)
    {
        Met(context);
        return next(context);
    }
}

/// <summary>Reads the endpoint's tenant from a request.</summary>
internal static class EndpointBindings
{
    /// <summary>Null where the connection carries no endpoint, or one that is bound to no tenant now.</summary>
    public static async ValueTask<(TenantId Tenant, string EndpointId)?> TenantOf(HttpContext context) =>
        context.Features.Get<EndpointFeature>() is { EndpointId: { } endpoint } feature
            && await feature.CurrentTenant(context.RequestAborted) is { } tenant
            ? (tenant, endpoint)
            : null;
}
