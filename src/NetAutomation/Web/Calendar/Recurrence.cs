using System.Globalization;

namespace NetAutomation.Web.Calendar;

/// <summary>
/// Local times of a rule, ascending, from a local time on. It ends where the rule does, or where nothing comes for decades.
/// </summary>
internal interface ILocalTimes
{
    IEnumerable<DateTime> From(DateTime local);
}

/// <summary>The text of a recurrence, as a caller gives it and as it is stored.</summary>
/// <param name="Anchor">Where the rule starts to count: the local time it was made, unless DTSTART says otherwise.</param>
internal sealed record RecurrenceText(string? Cron, string? Rrule, string TimeZone, DateTime Anchor);

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

    /// <summary>Reads a stored text, which could be read when it was stored.</summary>
    public static Recurrence Stored(string? cron, string? rrule, string timeZone, DateTime anchor) =>
        Read(new RecurrenceText(cron, rrule, timeZone, anchor)).Value;

    /// <summary>Instants after this one, ascending, each once.</summary>
    public IEnumerable<DateTimeOffset> After(DateTimeOffset instant)
    {
        var last = instant;
        // A local time that a gap moved forward lies before the local time of its instant.
        foreach (var local in rule.From(zone.Local(instant).AddDays(-2)))
        {
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

    /// <summary>Occurrence as it stands on a run: RFC 3339, UTC.</summary>
    public static string Name(DateTimeOffset occurrence) =>
        occurrence.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
