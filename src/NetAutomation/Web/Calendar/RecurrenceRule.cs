using NetAutomation.Web.Evaluation;

namespace NetAutomation.Web.Calendar;

/// <summary>How often a rule repeats.</summary>
internal enum Frequency
{
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// <summary>Occurrences that a rule leaves out: instants, and whole days of local time.</summary>
internal sealed record Exclusions(IReadOnlySet<DateTimeOffset> Times, IReadOnlySet<DateOnly> Days)
{
    public bool Hold(DateTime local, DateTimeOffset instant) => Times.Contains(instant) || Days.Contains(DateOnly.FromDateTime(local));
}

/// <summary>
/// An RRULE (RFC 5545, 3.3.10) with FREQ from HOURLY to YEARLY, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE,
/// BYSETPOS and WKST. Each period's days are filtered, so limiting and expanding parts are one thing here. Hours are those of local time.
/// </summary>
/// <param name="Anchor">Where the rule starts to count.</param>
/// <param name="Days">Weekdays; an ordinal of 0 is every such day of the period.</param>
/// <param name="Excluded">Left out of what the rule yields; COUNT counts them all the same.</param>
internal sealed record RecurrenceRule(
    DateTime Anchor, Frequency Frequency, int Interval, int? Count, DateTime? UntilLocal, DateTimeOffset? UntilUtc, int[] Months,
    int[] MonthDays, (int Ordinal, DayOfWeek Day)[] Days, int[] Hours, int[] Minutes, int[] Positions,
    DayOfWeek WeekStart, Exclusions Excluded) : ILocalTimes
{
    private const int Years = 30;

    /// <summary>Null, and the reason, where it cannot be read or holds a part that is not supported.</summary>
    public static RecurrenceRule? Read(string text, string timeZone, DateTime anchor, out string fault) =>
        new RecurrenceRuleText(text, timeZone).Read(anchor, out fault);

    /// <summary>Where COUNT ends. Null: without COUNT there is no such time, with it the rule is counted from its anchor.</summary>
    private DateTime? Last { get; init; }

    public IEnumerable<DateTime> From(DateTime local, EvaluationBudget budget)
    {
        var end = Math.Max(local.Year, Anchor.Year) + Years;
        return (Count is { } count && Last is null
            ? Times(Anchor, end, budget).Take(count).SkipWhile(time => time < local)
            : Times(local > Anchor ? local : Anchor, end, budget)).TakeWhile(time => !(time > Last));
    }

    /// <summary>The last time that COUNT lets come; null without COUNT, and where it comes after decades only.</summary>
    public DateTime? LastCounted(DateTime local, EvaluationBudget budget) => Count is { } count
        ? Times(Anchor, Math.Max(local.Year, Anchor.Year) + Years, budget).Select(time => (DateTime?)time).ElementAtOrDefault(count - 1)
        : null;

    /// <summary>The same rule, which does not count up to its last time again.</summary>
    public RecurrenceRule EndingAt(DateTime? last) => this with { Last = last };

    /// <summary>The times from this one on, whatever COUNT says, before the end of a year.</summary>
    private IEnumerable<DateTime> Times(DateTime from, int end, EvaluationBudget budget)
    {
        for (var period = First(from); period.Year < end; period = Following(period))
        {
            foreach (var time in Period(period, from, budget))
            {
                if (time >= from)
                {
                    yield return time;
                }
            }
        }
    }

    /// <summary>The next period. An hourly rule passes at once over the hours of a day on which it does not fall.</summary>
    private DateTime Following(DateTime period)
    {
        var left = Frequency == Frequency.Hourly && !Falls(period) ? 24 - period.Hour : 1;
        return Next(period, (left + Interval - 1) / Interval * Interval);
    }

    /// <summary>The period of this time, or the last one before it that keeps in step with the anchor.</summary>
    private DateTime First(DateTime local)
    {
        var start = Start(Anchor);
        var passed = Frequency switch
        {
            Frequency.Hourly => (int)(local - start).TotalHours,
            Frequency.Daily => (local.Date - start).Days,
            Frequency.Weekly => (local.Date - start).Days / 7,
            Frequency.Monthly => ((local.Year - start.Year) * 12) + local.Month - start.Month,
            _ => local.Year - start.Year,
        };
        return Next(start, passed / Interval * Interval);
    }

    private DateTime Start(DateTime time) => Frequency switch
    {
        Frequency.Hourly => time.Date.AddHours(time.Hour),
        Frequency.Daily => time.Date,
        Frequency.Weekly => time.Date.AddDays(-(((int)time.DayOfWeek - (int)WeekStart + 7) % 7)),
        Frequency.Monthly => time.Date.AddDays(1 - time.Day),
        _ => time.Date.AddDays(1 - time.DayOfYear),
    };

    private DateTime Next(DateTime start, int periods) => Frequency switch
    {
        Frequency.Hourly => start.AddHours(periods),
        Frequency.Daily => start.AddDays(periods),
        Frequency.Weekly => start.AddDays(7 * periods),
        Frequency.Monthly => start.AddMonths(periods),
        _ => start.AddYears(periods),
    };

    /// <summary>The times of a period; those before this one may be left out.</summary>
    private IEnumerable<DateTime> Period(DateTime start, DateTime from, EvaluationBudget budget)
    {
        if (Positions.Length == 0)
        {
            return Candidates(start, from, budget);
        }

        var times = Candidates(start, start, budget).ToList();
        return Positions.Select(position => position > 0 ? position - 1 : times.Count + position).Where(i => i >= 0 && i < times.Count)
            .Distinct().Order().Select(i => times[i]);
    }

    /// <summary>The times of a period before BYSETPOS, from a day on.</summary>
    private IEnumerable<DateTime> Candidates(DateTime start, DateTime from, EvaluationBudget budget)
    {
        var hourly = Frequency == Frequency.Hourly;
        int[] hours = !hourly ? Hours.Length > 0 ? Hours : [Anchor.Hour]
            : Hours.Length == 0 || Hours.Contains(start.Hour) ? [start.Hour] : [];
        int[] minutes = Minutes.Length > 0 ? Minutes : [Anchor.Minute];
        var end = hourly ? start.Date.AddDays(1) : Next(start, 1);
        for (var day = from > start ? from.Date : start.Date; day < end; day = day.AddDays(1))
        {
            budget.Step();
            if (!Falls(day))
            {
                continue;
            }

            foreach (var hour in hours)
            {
                foreach (var minute in minutes)
                {
                    budget.Step();
                    yield return day.AddMinutes((hour * 60) + minute);
                }
            }
        }
    }

    private bool Falls(DateTime day)
    {
        var days = DateTime.DaysInMonth(day.Year, day.Month);
        var free = Days.Length == 0 && MonthDays.Length == 0;
        return (Months.Length == 0 ? !(Frequency == Frequency.Yearly && free) || day.Month == Anchor.Month : Months.Contains(day.Month))
            && (MonthDays.Length == 0
                ? !(Frequency >= Frequency.Monthly && free) || day.Day == Anchor.Day
                : Array.Exists(MonthDays, wanted => day.Day == (wanted > 0 ? wanted : days + 1 + wanted)))
            && (Days.Length == 0
                ? Frequency != Frequency.Weekly || day.DayOfWeek == Anchor.DayOfWeek
                : Array.Exists(Days, wanted => wanted.Day == day.DayOfWeek && InPlace(day, wanted.Ordinal)));
    }

    /// <summary>The day is the nth, or nth last, of its weekday in the month, or in the year for a yearly rule without months.</summary>
    private bool InPlace(DateTime day, int ordinal)
    {
        var year = Frequency == Frequency.Yearly && Months.Length == 0;
        var (place, length) = year
            ? (day.DayOfYear, DateTime.IsLeapYear(day.Year) ? 366 : 365) : (day.Day, DateTime.DaysInMonth(day.Year, day.Month));
        return ordinal == 0 || (ordinal > 0 ? (place - 1) / 7 == ordinal - 1 : (length - place) / 7 == -ordinal - 1);
    }
}
