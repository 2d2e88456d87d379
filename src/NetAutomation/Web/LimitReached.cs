using System.Text.Json;
using NetAutomation.Web.Rates;
using Npgsql;

namespace NetAutomation.Web;

/// <summary>The database's refusal of what is above a limit on counts (<c>web.refuse_above</c>), as an answer that is counted.</summary>
internal sealed class LimitReached(LimitMetrics metrics, TimeProvider clock)
{
    private const string State = "LM001";

    /// <summary>The answer, and counts it. Null where the fault is something else.</summary>
    public Problem? Of(Exception fault)
    {
        if (fault.GetBaseException() is not PostgresException { SqlState: State, MessageText: var message }
            || JsonSerializer.Deserialize<Refused>(message, Json.Api) is not { } refused)
        {
            return null;
        }

        metrics.Refused(refused.Limit);
        var monthly = Limits.All.Any(limit => limit.Name == refused.Limit && limit.Monthly);
        var members = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["limit"] = refused.Limit, ["max"] = refused.Max, ["used"] = refused.Used,
        };
        if (monthly)
        {
            members["resetsAt"] = EndOfMonth(clock);
        }

        return new Problem(
            Problems.LimitReached,
            $"The limit {refused.Limit} is {refused.Max}, and {refused.Used} are used{(monthly ? " this month" : "")}.")
        { Members = members };
    }

    /// <summary>When what is counted by the month begins again at nothing.</summary>
    public static DateTimeOffset EndOfMonth(TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        return new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(1);
    }

    private sealed record Refused(string Limit, long Max, long Used);
}
