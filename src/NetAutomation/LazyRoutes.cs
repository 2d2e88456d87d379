namespace NetAutomation;

/// <summary>
/// Maps handlers that are compiled when they are first called. The framework's own methods of these names, which these hide from every
/// module, compile the handlers of all operations when the first request of a process comes, whichever it asks for: with 200 operations
/// the first answer takes a second longer. A handler of the request as it is needs no compiling.
/// </summary>
internal static class LazyRoutes
{
    public static RouteHandlerBuilder MapGet(this IEndpointRouteBuilder routes, string pattern, Delegate handler) =>
        Map(routes, pattern, handler, HttpMethods.Get);

    public static void MapGet(this IEndpointRouteBuilder routes, string pattern, RequestDelegate handler) =>
        EndpointRouteBuilderExtensions.MapGet(routes, pattern, handler);

    public static RouteHandlerBuilder MapPost(this IEndpointRouteBuilder routes, string pattern, Delegate handler) =>
        Map(routes, pattern, handler, HttpMethods.Post);

    public static void MapPost(this IEndpointRouteBuilder routes, string pattern, RequestDelegate handler) =>
        EndpointRouteBuilderExtensions.MapPost(routes, pattern, handler);

    public static RouteHandlerBuilder MapPut(this IEndpointRouteBuilder routes, string pattern, Delegate handler) =>
        Map(routes, pattern, handler, HttpMethods.Put);

    public static void MapPut(this IEndpointRouteBuilder routes, string pattern, RequestDelegate handler) =>
        EndpointRouteBuilderExtensions.MapPut(routes, pattern, handler);

    public static RouteHandlerBuilder MapPatch(this IEndpointRouteBuilder routes, string pattern, Delegate handler) =>
        Map(routes, pattern, handler, HttpMethods.Patch);

    public static RouteHandlerBuilder MapDelete(this IEndpointRouteBuilder routes, string pattern, Delegate handler) =>
        Map(routes, pattern, handler, HttpMethods.Delete);

    private static RouteHandlerBuilder Map(IEndpointRouteBuilder routes, string pattern, Delegate handler, string method) =>
        RouteHandlerServices.Map(routes, pattern, handler, [method], RequestDelegateFactory.InferMetadata, Lazily);

    private static RequestDelegateResult Lazily(
        Delegate handler, RequestDelegateFactoryOptions options, RequestDelegateMetadataResult? inferred)
    {
        var compiled = new Lazy<RequestDelegate>(() => RequestDelegateFactory.Create(handler, options, inferred).RequestDelegate);
        return new RequestDelegateResult(context => compiled.Value(context), [.. options.EndpointBuilder!.Metadata]);
    }
}
