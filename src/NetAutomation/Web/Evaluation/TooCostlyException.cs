using System.Globalization;

namespace NetAutomation.Web.Evaluation;

/// <summary>An evaluation that a customer asked for is over its budget. A request answers <c>too_costly</c>.</summary>
/// <param name="limit">The name of the budget, as the answer shows it.</param>
/// <param name="max">Its size.</param>
internal sealed class TooCostlyException(string limit, int max, string message) : Exception(message)
{
    public static TooCostlyException Of(string limit, int max, string unit) =>
        new(limit, max, $"It takes more than {max.ToString("N0", CultureInfo.InvariantCulture)} {unit}");

    /// <summary>The refusal of what was asked.</summary>
    public Problem Refusal => With(new Problem(Problems.TooCostly, $"{Message} to answer this: ask for less, or for simpler rules."));

    /// <summary>The refusal of a value that would cost too much whenever it is used.</summary>
    /// <param name="rest">What takes so long, and what to give instead; it goes on the message.</param>
    public Problem RefusalOf(string pointer, string rest) =>
        With(new Problem(Problems.TooCostly, null, [new ProblemError(pointer, "too_costly", $"{Message} {rest}")]));

    private Problem With(Problem problem) => new(problem.Type, problem.Detail, problem.Errors)
    {
        Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["limit"] = limit, ["max"] = max },
    };
}
