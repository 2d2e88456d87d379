using System.Globalization;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Web.Calendar;

/// <summary>
/// Local times of a rule, ascending, from a local time on. It ends where the rule does, or where nothing comes for decades.
/// </summary>
internal interface ILocalTimes
{
    IEnumerable<DateTime> From(DateTime local, EvaluationBudget budget);
}

/// <summary>The text of a recurrence, as a caller gives it and as it is stored.</summary>
/// <param name="Anchor">Where the rule starts to count: the local time it was made, unless DTSTART says otherwise.</param>
internal sealed record RecurrenceText(string? Cron, string? Rrule, string TimeZone, DateTime Anchor);

/// <summary>A recurrence that may be stored.</summary>
/// <param name="First">Its next occurrence.</param>
/// <param name="Last">Where its COUNT ends, to be stored beside it; null without COUNT, and where that is decades away.</param>
internal sealed record NewRecurrence(DateTimeOffset First, DateTime? Last);

/// <summary>
/// Instants of a cron or RRULE expression in an IANA time zone. Every local time fires once, on the days clocks change too.
/// </summary>
internal sealed class Recurrence(ILocalTimes rule, ZoneClock zone, DateTimeOffset until, Exclusions? excluded = null)
{
    /// <summary>The zone that is asked for, else the one in which the rule's DTSTART stands.</summary>
    public static Outcome<string> Zone(string? timeZone, string? rrule) =>
        (timeZone ?? (rrule is null ? null : RecurrenceRuleText.Zone(rrule))) is { } zone
            ? zone
            : new Problem(
                Problems.Malformed, "A required member is missing.",
                [new ProblemError("/timeZone", "required", "An IANA time zone is required, here or as TZID of the rule's DTSTART.")]);

    /// <summary>The local time of an instant, to the minute: the anchor of a rule made now. Null where the zone is unknown.</summary>
    public static DateTime? Anchor(string timeZone, DateTimeOffset now) => ZoneClock.Find(timeZone)?.Local(now) is { } local
        ? new DateTime(local.Ticks - (local.Ticks % TimeSpan.TicksPerMinute), DateTimeKind.Unspecified)
        : null;

    /// <summary>Reads the text, or points at its fault.</summary>
    public static Outcome<Recurrence> Read(RecurrenceText text)
    {
        if (ZoneClock.Find(text.TimeZone) is not { } zone)
        {
            return Problems.Refused.At(
                "/timeZone", "unknown_time_zone", $"'{text.TimeZone}' is not an IANA time zone, for example Europe/Amsterdam.");
        }

        if (text.Cron is null == text.Rrule is null)
        {
            return Problems.Refused.At(text.Cron is null ? "/cron" : "/rrule", "one_of", "Exactly one of cron and rrule.");
        }

        if (text.Cron is not null)
        {
            return CronRule.Read(text.Cron, out var fault) is { } cron
                ? new Recurrence(cron, zone, DateTimeOffset.MaxValue) : Problems.Refused.At("/cron", "cron", fault);
        }

        if (RecurrenceRule.Read(text.Rrule!, text.TimeZone, text.Anchor, out var wrong) is not { } rule)
        {
            return Problems.Refused.At("/rrule", "rrule", wrong);
        }

        var until = rule.UntilLocal is { } local ? zone.Instant(local) : rule.UntilUtc ?? DateTimeOffset.MaxValue;
        return new Recurrence(rule, zone, until, rule.Excluded);
    }

    /// <summary>Reads a text that is to be stored. What has no occurrence to come, or costs too much to evaluate, is refused.</summary>
    public static Outcome<NewRecurrence> Make(RecurrenceText text, DateTimeOffset now, EvaluationBudget budget)
    {
        if (Read(text).Refused(out var problem, out var recurrence))
        {
            return problem;
        }

        var at = text.Cron is null ? "/rrule" : "/cron";
        try
        {
            var last = recurrence.LastCounted(now, budget);
            return recurrence.EndingAt(last).After(now, budget).Take(Evaluations.Occurrences).ToList() is [var first, ..]
                ? new NewRecurrence(first, last) : Problems.Refused.At(at, "never", "The rule has no future occurrence.");
        }
        catch (TooCostlyException costly)
        {
            return costly.RefusalOf(
                at, $"to find the rule's next {Evaluations.Occurrences} occurrences: name fewer hours and minutes beside BYSETPOS, or a "
                    + "later DTSTART.");
        }
    }

    /// <summary>Reads a stored text, which could be read when it was stored.</summary>
    /// <param name="last">What <see cref="NewRecurrence"/> said of it; null: its COUNT is counted at each use.</param>
    public static Recurrence Stored(string? cron, string? rrule, string timeZone, DateTime anchor, DateTime? last) =>
        Read(new RecurrenceText(cron, rrule, timeZone, anchor)).Value.EndingAt(last);

    /// <summary>Instants after this one, ascending, each once.</summary>
    /// <exception cref="TooCostlyException">Thrown by the enumeration, at the end of the budget.</exception>
    public IEnumerable<DateTimeOffset> After(DateTimeOffset instant, EvaluationBudget budget)
    {
        var last = instant;
        foreach (var local in rule.From(zone.LocalFrom(instant), budget))
        {
            budget.Step();
            var next = zone.Instant(local);
            if (next > until)
            {
                yield break;
            }

            if (next > last && excluded?.Hold(local, next) != true)
            {
                yield return last = next;
            }
        }
    }

    private DateTime? LastCounted(DateTimeOffset now, EvaluationBudget budget) =>
        (rule as RecurrenceRule)?.LastCounted(zone.Local(now), budget);

    private Recurrence EndingAt(DateTime? last) =>
        rule is RecurrenceRule counted && last is not null ? new(counted.EndingAt(last), zone, until, excluded) : this;

    /// <summary>Occurrence as it stands on a run: RFC 3339, UTC.</summary>
    public static string Name(DateTimeOffset occurrence) =>
        occurrence.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
