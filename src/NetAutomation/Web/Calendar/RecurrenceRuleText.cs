using System.Globalization;

namespace NetAutomation.Web.Calendar;

/// <summary>The text of a rule: <c>FREQ=…</c>, with or without <c>RRULE:</c>, and a line <c>DTSTART:…</c> before it if wanted.</summary>
internal sealed class RecurrenceRuleText(string text, string timeZone)
{
    private const string Stamp = "yyyyMMdd'T'HHmmss";
    private static readonly string[] _days = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
    private string _fault = "";

    public RecurrenceRule? Read(DateTime anchor, out string fault)
    {
        var rule = text.Length <= 1024 ? Rule(anchor) : Refuse<RecurrenceRule>("A rule is at most 1024 characters.");
        fault = _fault;
        return rule;
    }

    private RecurrenceRule? Rule(DateTime anchor)
    {
        var lines = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (lines is [var start, var after])
        {
            var value = start.StartsWith($"DTSTART;TZID={timeZone}:", StringComparison.Ordinal)
                ? start[(start.IndexOf(':', StringComparison.Ordinal) + 1)..]
                : start.StartsWith("DTSTART:", StringComparison.Ordinal) ? start["DTSTART:".Length..] : "";
            if (!Local(value, out anchor) || anchor.Second != 0)
            {
                return Refuse<RecurrenceRule>(
                    "DTSTART is a local time of the schedule's zone with whole minutes, for example DTSTART:20270131T020000.");
            }

            lines = [after];
        }

        if (lines is not [var line])
        {
            return Refuse<RecurrenceRule>("One rule is needed, for example FREQ=WEEKLY;BYDAY=SA;BYHOUR=2;BYMINUTE=0.");
        }

        var parts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in (line.StartsWith("RRULE:", StringComparison.Ordinal) ? line["RRULE:".Length..] : line).Split(';'))
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            if (at < 1 || at == part.Length - 1 || !parts.TryAdd(part[..at], part[(at + 1)..]))
            {
                return Refuse<RecurrenceRule>($"'{part}' is not NAME=value, or stands twice.");
            }
        }

        Frequency? frequency = parts.Remove("FREQ", out var freq)
            ? freq switch
            {
                "DAILY" => Frequency.Daily,
                "WEEKLY" => Frequency.Weekly,
                "MONTHLY" => Frequency.Monthly,
                "YEARLY" => Frequency.Yearly,
                _ => null
            }
            : null;
        if (frequency is null)
        {
            return Refuse<RecurrenceRule>("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.");
        }

        var rule = new RecurrenceRule(anchor) { Frequency = frequency.Value };
        return parts.All(part => Part(rule, part.Key, part.Value)) && Fits(rule) ? rule : null;
    }

    private bool Part(RecurrenceRule rule, string name, string value)
    {
        switch (name)
        {
            case "INTERVAL":
                rule.Interval = Number(name, value, 1000);
                break;
            case "COUNT":
                rule.Count = Number(name, value, 10_000);
                break;
            case "BYMONTH":
                rule.Months = Numbers(name, value, 1, 12, false);
                break;
            case "BYMONTHDAY":
                rule.MonthDays = Numbers(name, value, 1, 31, true);
                break;
            case "BYHOUR":
                rule.Hours = Numbers(name, value, 0, 23, false);
                break;
            case "BYMINUTE":
                rule.Minutes = Numbers(name, value, 0, 59, false);
                break;
            case "BYSETPOS":
                rule.Positions = Numbers(name, value, 1, 366, true);
                break;
            case "BYDAY":
                rule.Days = Days(value);
                break;
            case "UNTIL":
                Until(rule, value);
                break;
            default:
                Refuse<string>($"{name} is not supported.");
                break;
        }

        return _fault.Length == 0;
    }

    private void Until(RecurrenceRule rule, string value)
    {
        if (value.EndsWith('Z') && Local(value[..^1], out var utc))
        {
            rule.UntilUtc = new DateTimeOffset(utc, TimeSpan.Zero);
        }
        else if (Local(value, out var local))
        {
            rule.UntilLocal = local;
        }
        else if (
            DateTime.TryParseExact(value, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
                && day.Year is > 1970 and < 9000)
        {
            rule.UntilLocal = day.AddDays(1).AddSeconds(-1);
        }
        else
        {
            Refuse<string>($"UNTIL '{value}' is not a date or a time.");
        }
    }

    private int Number(string name, string value, int high)
    {
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= high)
        {
            return number;
        }

        Refuse<string>($"{name} is a number from 1 to {high}.");
        return 1;
    }

    private bool Fits(RecurrenceRule rule)
    {
        var fault = rule switch
        {
            { Count: not null } when rule.UntilUtc is not null || rule.UntilLocal is not null => "COUNT and UNTIL exclude each other.",
            { Frequency: Frequency.Weekly, MonthDays.Length: > 0 } => "BYMONTHDAY is not used with FREQ=WEEKLY.",
            { Frequency: <= Frequency.Weekly } when Array.Exists(rule.Days, day => day.Ordinal != 0) =>
                "BYDAY takes a number only with FREQ=MONTHLY or FREQ=YEARLY.",
            { Positions.Length: > 0 } when rule.Days.Length + rule.MonthDays.Length + rule.Months.Length + rule.Hours.Length
                + rule.Minutes.Length == 0 => "BYSETPOS needs another BY part.",
            _ => "",
        };
        return fault.Length == 0 || Refuse<string>(fault) is not null;
    }

    private int[] Numbers(string name, string value, int low, int high, bool signed)
    {
        var numbers = new SortedSet<int>();
        foreach (var item in value.Split(','))
        {
            if (!int.TryParse(
                item, signed ? NumberStyles.AllowLeadingSign : NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || Math.Abs((long)number) < low || Math.Abs((long)number) > high)
            {
                Refuse<string>($"{name} '{item}' is not a number from {low} to {high}{(signed ? ", or the same negative" : "")}.");
                return [];
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    private (int Ordinal, DayOfWeek Day)[] Days(string value)
    {
        var days = new List<(int, DayOfWeek)>();
        foreach (var item in value.Split(','))
        {
            var day = item.Length >= 2 ? Array.IndexOf(_days, item[^2..]) : -1;
            var ordinal = 0;
            if (day < 0
                || (item.Length > 2
                    && (!int.TryParse(item[..^2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out ordinal)
                        || ordinal is 0 or > 53 or < -53)))
            {
                Refuse<string>($"BYDAY '{item}' is not a weekday such as MO, 1MO or -1FR.");
                return [];
            }

            days.Add((ordinal, (DayOfWeek)day));
        }

        return [.. days];
    }

    private static bool Local(string value, out DateTime local) =>
        DateTime.TryParseExact(value, Stamp, CultureInfo.InvariantCulture, DateTimeStyles.None, out local)
            && local.Year is > 1970 and < 9000;

    private T? Refuse<T>(string fault)
        where T : class
    {
        _fault = fault;
        return null;
    }
}
