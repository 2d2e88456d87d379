using System.Diagnostics;

namespace NetAutomation.Web.Http;

/// <summary>
/// One structured line per request; never a header, a query or a body. Of those that proved no caller, few of each endpoint are written.
/// </summary>
internal static partial class RequestLog
{
    public static async Task Write(HttpContext context, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        await next(context);
        var logger = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("NetAutomation.Request");
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        var (method, status) = (HeadRequests.Is(context) ? HttpMethods.Head : context.Request.Method, context.Response.StatusCode);
        var (took, listener) =
            (Stopwatch.GetElapsedTime(started).TotalMilliseconds, context.Features.Get<ListenerFeature>()?.Listener.ToString());
        if (status == StatusCodes.Status401Unauthorized)
        {
            Log.Unproven(
                logger, method, route, status, took, listener,
                context.Features.Get<EndpointFeature>()?.EndpointId ?? context.Connection.RemoteIpAddress?.ToString() ?? "");
            return;
        }

        Log.Served(logger, method, route, status, took, listener);
    }

    private static partial class Log
    {
        [LoggerMessage(102, LogLevel.Information, "{Method} {Route} {Status} in {Milliseconds} ms on {Listener}")]
        public static partial void Served(ILogger logger, string method, string route, int status, double milliseconds, string? listener);

        // BoundedLines writes few of one owner.
        [LoggerMessage(104, LogLevel.Information, "{Method} {Route} {Status} in {Milliseconds} ms on {Listener} of {Owner}")]
        public static partial void Unproven(
            ILogger logger, string method, string route, int status, double milliseconds, string? listener, string owner);
    }
}
