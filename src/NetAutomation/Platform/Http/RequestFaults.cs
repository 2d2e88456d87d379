using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;

namespace NetAutomation.Platform.Http;

/// <summary>Turns what the framework throws or leaves empty into problem+json, so that a client never sees another error shape.</summary>
internal sealed partial class RequestFaults(ILogger<RequestFaults> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        var problem = Of(exception);
        if (problem.Type.Status >= 500)
        {
            Log.Failed(log, exception, httpContext.Request.Method, httpContext.GetEndpoint()?.DisplayName);
        }

        await problem.ExecuteAsync(httpContext);
        return true;
    }

    /// <summary>The body for a status that the framework set without one.</summary>
    public static Problem OfStatus(int status) => status switch
    {
        401 => Problems.Unauthorized.With(),
        404 => Problems.NotFound.With(),
        405 => Problems.MethodNotAllowed.With(),
        413 => Problems.BodyTooLarge.With(),
        415 => Problems.UnsupportedMediaType.With(),
        416 => Problems.RangeNotSatisfiable.With(),
        >= 500 => Problems.Internal.With(),
        _ => Problems.Malformed.With(),
    };

    private static Problem Of(Exception exception) => exception switch
    {
        BadHttpRequestException { InnerException: RefusedValueException refused } => Problems.Refused.At(Pointer(refused.Path), refused.Code, refused.Message),
        BadHttpRequestException { InnerException: JsonException json } => Problems.Malformed.At(Pointer(json.Path), "unreadable", Plain(json.Message)),
        BadHttpRequestException { StatusCode: 413 } => Problems.BodyTooLarge.With(),
        BadHttpRequestException { StatusCode: 415 } => Problems.UnsupportedMediaType.With(),
        BadHttpRequestException bad => Problems.Malformed.With(bad.Message),
        Npgsql.NpgsqlException { IsTransient: true, InnerException: not null } => Problems.Unavailable.With(),
        _ => Problems.Internal.With(),
    };

    // System.Text.Json ends its messages with "Path: $.x | LineNumber…"; the pointer says the same in the API's own way.
    private static string Plain(string message) =>
        message.IndexOf(" Path:", StringComparison.Ordinal) is var end and > 0 ? message[..end] : message;

    private static string Pointer(string? path)
    {
        if (string.IsNullOrEmpty(path) || path == "$")
        {
            return "";
        }

        var pointer = new StringBuilder();
        foreach (var part in path[1..].Split(['.', '[', ']', '\''], StringSplitOptions.RemoveEmptyEntries))
        {
            pointer.Append('/').Append(part.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));
        }

        return pointer.ToString();
    }

    private static partial class Log
    {
        [LoggerMessage(101, LogLevel.Error, "Request failed: {Method} {Endpoint}")]
        public static partial void Failed(ILogger logger, Exception exception, string method, string? endpoint);
    }
}
