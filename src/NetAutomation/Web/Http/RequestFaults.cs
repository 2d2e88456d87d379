using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Npgsql;

namespace NetAutomation.Web.Http;

/// <summary>Turns what the framework throws or leaves empty into problem+json, so that a client never sees another error shape.</summary>
internal sealed partial class RequestFaults(ILogger<RequestFaults> log) : IExceptionHandler
{
    private const string Missing = "missing required properties including:";

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
        BadHttpRequestException { InnerException: RefusedValueException refused } =>
            Problems.Refused.At(Pointer(refused.Path), refused.Code, refused.Message),
        BadHttpRequestException { InnerException: JsonException json } => Unreadable(json),
        BadHttpRequestException { StatusCode: 413 } => Problems.BodyTooLarge.With(),
        BadHttpRequestException { StatusCode: 415 } => Problems.UnsupportedMediaType.With(),
        BadHttpRequestException bad => Problems.Malformed.With(bad.Message),
        // U+0000 that came past the checks of the body and the URL.
        _ when exception.GetBaseException()
            is PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter } =>
                Problems.Malformed.With("A string holds U+0000."),
        _ when Persistence.DatabaseOutage.Is(exception) => Problems.Unavailable.With(),
        _ => Problems.Internal.With(),
    };

    private static Problem Unreadable(JsonException json)
    {
        var (at, message) = (Pointer(json.Path), json.Message);
        if (message.IndexOf(Missing, StringComparison.Ordinal) is > 0 and var names)
        {
            var errors = Quoted(message[names..]).Select(name => new ProblemError($"{at}/{name}", "required", "The member is required."));
            return new Problem(Problems.Malformed, "A required member is missing.", [.. errors]);
        }

        var twice = message.StartsWith("Duplicate property '", StringComparison.Ordinal);
        return Problems.Malformed.At(twice ? $"{at}/{Escaped(Quoted(message).First())}" : at, "unreadable", Plain(message));
    }

    // System.Text.Json ends its messages with "Path: $.x | LineNumber…", which the pointer says in the API's own way, and names .NET types,
    // which tell a customer nothing.
    private static string Plain(string message) =>
        message.Contains("could not be mapped", StringComparison.Ordinal) ? "There is no such member."
        : message.Contains("Duplicate property", StringComparison.Ordinal) ? "The member is given twice."
        : message.Contains("could not be converted", StringComparison.Ordinal)
            || message.Contains("NetAutomation.", StringComparison.Ordinal) ? "The value is not of the member's type."
        : message.IndexOf(" Path:", StringComparison.Ordinal) is > 0 and var end ? message[..end] : message;

    private static string Pointer(string? path)
    {
        if (string.IsNullOrEmpty(path) || path == "$")
        {
            return "";
        }

        var parts = path[1..].Split(['.', '[', ']', '\''], StringSplitOptions.RemoveEmptyEntries);
        return string.Concat(parts.Select(part => $"/{Escaped(part)}"));
    }

    private static string Escaped(string part) =>
        part.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static IEnumerable<string> Quoted(string message) => message.Split('\'').Where((_, part) => part % 2 == 1);

    private static partial class Log
    {
        [LoggerMessage(101, LogLevel.Error, "Request failed: {Method} {Endpoint}")]
        public static partial void Failed(ILogger logger, Exception exception, string method, string? endpoint);
    }
}
