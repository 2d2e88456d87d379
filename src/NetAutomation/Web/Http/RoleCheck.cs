namespace NetAutomation.Web.Http;

/// <summary>
/// What a caller's role allows, decided by the operation alone and before its query and body are looked at. Every operation carries the one
/// role that it needs (<see cref="RequiredRole"/>, <see cref="RequiredOperatorRole"/>).
/// </summary>
internal static class RoleCheck
{
    /// <summary>Middleware behind the proof of the caller.</summary>
    public static Task Check(HttpContext context, RequestDelegate next) =>
        context.GetEndpoint()?.Metadata is { } metadata && Refusal(context, metadata) is { } refusal
            ? refusal.ExecuteAsync(context) : next(context);

    /// <summary>A customer's operation that says nothing else needs viewer where it reads, and operator where it writes.</summary>
    public static void RequireMember(EndpointBuilder endpoint)
    {
        if (!endpoint.Metadata.OfType<RequiredRole>().Any())
        {
            endpoint.Metadata.Add(new RequiredRole(Reads(endpoint) ? MemberRole.Viewer : MemberRole.Operator));
        }
    }

    /// <summary>An operation of the provider's staff that says nothing else needs read where it reads, and act where it writes.</summary>
    public static void RequireOperator(EndpointBuilder endpoint)
    {
        if (!endpoint.Metadata.OfType<RequiredOperatorRole>().Any())
        {
            endpoint.Metadata.Add(new RequiredOperatorRole(Reads(endpoint) ? OperatorRole.Read : OperatorRole.Act));
        }
    }

    private static bool Reads(EndpointBuilder endpoint) =>
        endpoint.Metadata.OfType<IHttpMethodMetadata>().Any(methods => methods.HttpMethods.Contains(HttpMethods.Get));

    private static Problem? Refusal(HttpContext context, EndpointMetadataCollection metadata)
    {
        if (metadata.GetMetadata<RequiredOperatorRole>() is { Role: var wanted })
        {
            return context.RequestServices.GetRequiredService<OperatorCaller>().Roles.Contains(wanted) ? null : Insufficient(wanted);
        }

        if (metadata.GetMetadata<RequiredRole>() is not { Role: var required })
        {
            return null;
        }

        var caller = context.RequestServices.GetRequiredService<Caller>();
        return caller.Role < required ? Insufficient(required)
            : caller.Suspended && !HttpMethods.IsGet(context.Request.Method) && metadata.GetMetadata<AllowedWhenSuspended>() is null
                ? Problems.TenantSuspended.With()
            : null;
    }

    private static Problem Insufficient<TRole>(TRole role)
        where TRole : struct, Enum =>
        Problems.RoleInsufficient.With($"The role {Wire.Name(role)} is needed.");
}
