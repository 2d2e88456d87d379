using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using NetAutomation.Persistence;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Rates;
using Npgsql;

namespace NetAutomation.Web.Http;

/// <summary>Turns what the framework throws or leaves empty into problem+json, so that a client never sees another error shape.</summary>
internal sealed partial class RequestFaults(
    RequestForms forms, EvaluationMetrics evaluations, RateLimits rates, LimitReached limits, ILogger<RequestFaults> log)
    : IExceptionHandler
{
    private const string Missing = "missing required properties including:";

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        var problem = limits.Of(exception) ?? Of(exception, httpContext);
        if (problem.Type.Status >= 500)
        {
            var endpoint = httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
            Log.Failed(log, exception, httpContext.Request.Method, endpoint?.DisplayName);
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

    private Problem Of(Exception exception, HttpContext context) => exception switch
    {
        BadHttpRequestException { InnerException: RefusedValueException refused } =>
            Problems.Refused.At(JsonPointer.Of(refused.Path), refused.Code, refused.Message),
        BadHttpRequestException { InnerException: JsonException json } => Unreadable(json),
        BadHttpRequestException { StatusCode: 413 } => Problems.BodyTooLarge.With(),
        BadHttpRequestException { StatusCode: 415 } => Problems.UnsupportedMediaType.With(),
        // The server's own: the body ends early, comes too slowly or is not framed as HTTP says.
        BadHttpRequestException server when server.GetType() != typeof(BadHttpRequestException) =>
            Problems.Malformed.With("The body could not be received to its end."),
        BadHttpRequestException bad => forms.Unbound(bad, context),
        // U+0000 that came past the checks of the body and the URL.
        _ when exception.GetBaseException()
            is PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter } =>
                Problems.Malformed.With("A string holds U+0000."),
        TooCostlyException costly => costly.Refusal,
        RateLimitedException limited => limited.Refusal,
        _ when StatementLimit.Ended(exception) => Ended(context),
        NoConnectionException none => rates.NoConnection(none),
        _ when StatementLimit.EndedAtLock(exception) => EndedAtLock(),
        TransactionTooLongException late => new Problem(Problems.Unavailable, late.Message) { RetryAfter = StatementLimit.App },
        _ when Outage.Is(exception) => Problems.Unavailable.With(),
        _ => Problems.Internal.With(),
    };

    /// <summary>
    /// The database ended a statement. How long a list or an export takes is decided by what was asked for; everything else may go better
    /// a little later.
    /// </summary>
    private Problem Ended(HttpContext context)
    {
        evaluations.StatementCancelled();
        var longest = context.RequestServices.GetRequiredService<NetAutomationDb>().LongestStatement;
        return HttpMethods.IsGet(context.Request.Method) && context.Request.QueryString.HasValue
            ? TooCostlyException.Of("statement_seconds", (int)longest.TotalSeconds, "seconds").Refusal
            : new Problem(Problems.Unavailable) { RetryAfter = longest };
    }

    /// <summary>Another transaction holds what the statement needs, whatever was asked for.</summary>
    private Problem EndedAtLock()
    {
        evaluations.StatementCancelled();
        return new Problem(Problems.Unavailable) { RetryAfter = StatementLimit.Lock };
    }

    /// <summary>
    /// The text is ours, whatever the fault is: the messages of System.Text.Json name .NET types and the options of its reader. They tell
    /// kinds of faults apart, and the names of missing members stand nowhere else.
    /// </summary>
    private static Problem Unreadable(JsonException json)
    {
        var (at, message) = (JsonPointer.Of(json.Path), json.Message);
        if (json is UnreadableValueException own)
        {
            return Problems.Malformed.At($"{at}{own.Within}", "unreadable", own.Message);
        }

        if (message.IndexOf(Missing, StringComparison.Ordinal) is > 0 and var names)
        {
            var missing = message[names..].Split('\'').Where((_, part) => part % 2 == 1);
            var errors = missing.Select(
                name => new ProblemError($"{at}/{JsonPointer.Escape(name)}", "required", "The member is required."));
            return new Problem(Problems.Malformed, "A required member is missing.", [.. errors]);
        }

        return Problems.Malformed.At(at, "unreadable", json switch
        {
            // Only the reader's faults, those of the syntax, are wrapped in another of the same kind.
            { InnerException: JsonException } =>
                $"From line {json.LineNumber + 1}, byte {json.BytePositionInLine + 1} on, the body is not JSON, or more than "
                + $"{Json.Deepest} levels deep.",
            _ when message.StartsWith("Duplicate propert", StringComparison.Ordinal) => "The member is given twice.",
            _ when message.Contains("could not be mapped", StringComparison.Ordinal) => "There is no such member.",
            _ when at.Length == 0 => "The body is not a JSON object of this operation.",
            _ => "The value is not of the member's type.",
        });
    }

    private static partial class Log
    {
        [LoggerMessage(101, LogLevel.Error, "Request failed: {Method} {Endpoint}")]
        public static partial void Failed(ILogger logger, Exception exception, string method, string? endpoint);
    }
}
