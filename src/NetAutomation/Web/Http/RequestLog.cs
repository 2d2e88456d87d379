using System.Diagnostics;

namespace NetAutomation.Web.Http;

/// <summary>One structured line per request; never a header, a query or a body.</summary>
internal static partial class RequestLog
{
    public static async Task Write(HttpContext context, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        await next(context);
        var logger = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("NetAutomation.Request");
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        Log.Served(
            logger, HeadRequests.Is(context) ? HttpMethods.Head : context.Request.Method, route, context.Response.StatusCode,
            Stopwatch.GetElapsedTime(started).TotalMilliseconds, context.Features.Get<ListenerFeature>()?.Listener.ToString());
    }

    private static partial class Log
    {
        [LoggerMessage(102, LogLevel.Information, "{Method} {Route} {Status} in {Milliseconds} ms on {Listener}")]
        public static partial void Served(ILogger logger, string method, string route, int status, double milliseconds, string? listener);
    }
}
