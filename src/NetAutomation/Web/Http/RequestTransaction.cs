namespace NetAutomation.Web.Http;

/// <summary>Decides how the transaction of a request ends, for customers and operators alike.</summary>
internal static class RequestTransaction
{
    /// <summary>Runs the handler. The effects of a refused one must be rolled back.</summary>
    public static async ValueTask<(object? Result, bool Refused)> Run(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var result = await next(context);
        result = result is INestedHttpResult nested ? nested.Result : result;
        return (result, result is IStatusCodeHttpResult { StatusCode: >= 400 });
    }
}
