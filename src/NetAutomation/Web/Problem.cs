using System.Text.Json.Serialization;

namespace NetAutomation.Web;

/// <summary>One fault in a request body.</summary>
/// <param name="Pointer">JSON pointer (RFC 6901) to the faulty value.</param>
/// <param name="Code">Stable code of the fault.</param>
/// <param name="Detail">What is wrong, for a person.</param>
public sealed record ProblemError(string Pointer, string Code, string Detail);

/// <summary>An expected refusal, answered as problem+json (RFC 9457) with the stable type <c>/problems/{code}</c>.</summary>
public sealed class Problem(ProblemType type, string? detail = null, IReadOnlyList<ProblemError>? errors = null)
    : IResult, IStatusCodeHttpResult, IValueHttpResult
{
    public ProblemType Type { get; } = type;

    public string? Detail { get; } = detail;

    public IReadOnlyList<ProblemError>? Errors { get; } = errors;

    /// <summary>Further members of the body, such as the numbers of a refused price.</summary>
    public IReadOnlyDictionary<string, object?>? Members { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    public int? StatusCode => Type.Status;

    public object? Value => null;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Type.Status;
        if (RetryAfter is { } wait)
        {
            response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds))
                .ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        var body = new ProblemBody(
            $"/problems/{Type.Code}", Type.Title, Type.Status, Detail, Activity(httpContext), Errors)
        { Members = Members?.ToDictionary() };
        // Without a token it ends in silence where the client has left; the handler of an exception must not throw another one.
        return response.WriteAsJsonAsync(body, Json.Api, "application/problem+json", CancellationToken.None);
    }

    private static string Activity(HttpContext context) => System.Diagnostics.Activity.Current?.TraceId.ToString()
        ?? context.TraceIdentifier;
}

/// <summary>The body of a refusal (RFC 9457).</summary>
/// <param name="Type">Stable, relative URI of the kind of refusal; it can be read on the same listener.</param>
/// <param name="Title">The kind of refusal in words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">This occurrence in words.</param>
/// <param name="TraceId">Quote this when asking for help.</param>
/// <param name="Errors">Faults of the request body by JSON pointer.</param>
public sealed record ProblemBody(
    string Type,
    string Title,
    int Status,
    string? Detail,
    string TraceId,
    IReadOnlyList<ProblemError>? Errors)
{
    /// <summary>Every member that some kind of refusal of the customers' API adds, as the API document names it.</summary>
    internal static readonly (string Name, Type Type, string Meaning)[] Further =
    [
        ("limit", typeof(string), "The limit that is met (docs/api.md)."),
        ("max", typeof(long), "What the limit is."),
        ("used", typeof(long), "How much of the limit is used."),
        ("resetsAt", typeof(DateTimeOffset), "When a limit on a month begins anew."),
        ("id", typeof(string), "What the first request made, whose secret is not shown again."),
        ("price", typeof(Money), "What it costs."),
        ("ceiling", typeof(Money), "What it may cost at most."),
        ("maxPrice", typeof(Money), "What the request allows."),
        ("monthly", typeof(Money), "The budget."),
        ("charged", typeof(Money), "What the month has cost."),
        ("reserved", typeof(Money), "What runs under way may cost."),
        ("wanted", typeof(Money), "What the request would add."),
        ("owed", typeof(Money), "What is left to pay."),
        ("invoice", typeof(string), "Number of the invoice that is overdue."),
        ("dueAt", typeof(DateTimeOffset), "When it was due."),
        ("firstSeq", typeof(long), "The first event that is kept."),
    ];

    /// <summary>Members of this kind of refusal.</summary>
    [JsonExtensionData]
    public Dictionary<string, object?>? Members { get; init; }
}
