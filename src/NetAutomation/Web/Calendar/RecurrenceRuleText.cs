using System.Globalization;

namespace NetAutomation.Web.Calendar;

/// <summary>The text of a rule: <c>FREQ=…</c>, with or without <c>RRULE:</c>, and a line <c>DTSTART:…</c> before it if wanted.</summary>
internal sealed class RecurrenceRuleText(string text, string timeZone)
{
    private const string Stamp = "yyyyMMdd'T'HHmmss";
    private static readonly string[] _days = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
    private readonly Dictionary<string, string> _parts = new(StringComparer.Ordinal);
    private string? _fault;

    public RecurrenceRule? Read(DateTime anchor, out string fault)
    {
        var rule = text.Length <= 1024 ? Rule(anchor) : Refuse<RecurrenceRule>("A rule is at most 1024 characters.");
        fault = _fault ?? "";
        return _fault is null ? rule : null;
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

        foreach (var part in (line.StartsWith("RRULE:", StringComparison.Ordinal) ? line["RRULE:".Length..] : line).Split(';'))
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            if (at < 1 || at == part.Length - 1 || !_parts.TryAdd(part[..at], part[(at + 1)..]))
            {
                return Refuse<RecurrenceRule>($"'{part}' is not NAME=value, or is given twice.");
            }
        }

        Frequency? frequency = Take("FREQ") switch
        {
            "DAILY" => Frequency.Daily,
            "WEEKLY" => Frequency.Weekly,
            "MONTHLY" => Frequency.Monthly,
            "YEARLY" => Frequency.Yearly,
            _ => null
        };
        if (frequency is null)
        {
            return Refuse<RecurrenceRule>("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.");
        }

        var (untilLocal, untilUtc) = Until();
        var rule = new RecurrenceRule(
            anchor, frequency.Value, Number("INTERVAL", 1000) ?? 1, Number("COUNT", 10_000), untilLocal, untilUtc,
            Months: Numbers("BYMONTH", 1, 12, signed: false),
            MonthDays: Numbers("BYMONTHDAY", 1, 31, signed: true),
            Days: Days(),
            Hours: Numbers("BYHOUR", 0, 23, signed: false),
            Minutes: Numbers("BYMINUTE", 0, 59, signed: false),
            Positions: Numbers("BYSETPOS", 1, 366, signed: true));
        return _parts.Keys.FirstOrDefault() is { } unknown ? Refuse<RecurrenceRule>($"{unknown} is not supported.")
            : Conflict(rule) is { } conflict ? Refuse<RecurrenceRule>(conflict)
            : rule;
    }

    private static string? Conflict(RecurrenceRule rule) => rule switch
    {
        { Count: not null } when rule.UntilUtc is not null || rule.UntilLocal is not null => "COUNT and UNTIL exclude each other.",
        { Frequency: Frequency.Weekly, MonthDays.Length: > 0 } => "BYMONTHDAY is not used with FREQ=WEEKLY.",
        { Frequency: <= Frequency.Weekly } when Array.Exists(rule.Days, day => day.Ordinal != 0) =>
            "BYDAY takes a number only with FREQ=MONTHLY or FREQ=YEARLY.",
        { Positions.Length: > 0 } when rule.Days.Length + rule.MonthDays.Length + rule.Months.Length + rule.Hours.Length
            + rule.Minutes.Length == 0 => "BYSETPOS needs another BY part.",
        _ => null,
    };

    private (DateTime? Local, DateTimeOffset? Utc) Until() => Take("UNTIL") switch
    {
        null => (null, null),
        [.. var time, 'Z'] when Local(time, out var utc) => (null, new DateTimeOffset(utc, TimeSpan.Zero)),
        var time when Local(time, out var local) => (local, null),
        var date when DateTime.TryParseExact(date, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day.Year is > 1970 and < 9000 => (day.AddDays(1).AddSeconds(-1), null),
        var other => Refuse<(DateTime?, DateTimeOffset?)>($"UNTIL '{other}' is not a date or a time."),
    };

    private int? Number(string name, int high) => Take(name) is not { } value ? null
        : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= high ? number
        : Refuse<int?>($"{name} is a number from 1 to {high}.");

    private int[] Numbers(string name, int low, int high, bool signed)
    {
        int? Parse(string item) => int.TryParse(
            item, signed ? NumberStyles.AllowLeadingSign : NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && Math.Abs((long)number) >= low && Math.Abs((long)number) <= high
            ? number
            : Refuse<int?>($"{name} '{item}' is not a number from {low} to {high}{(signed ? ", or the same negative" : "")}.");
        return [.. Items(name).Select(Parse).OfType<int>().Distinct().Order()];
    }

    private (int Ordinal, DayOfWeek Day)[] Days() =>
    [
        .. Items("BYDAY").Select(item =>
        {
            var (day, ordinal) = (item.Length >= 2 ? Array.IndexOf(_days, item[^2..]) : -1, 0);
            var valid = day >= 0 && (item.Length == 2
                || (int.TryParse(item[..^2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out ordinal)
                    && ordinal is not 0 and >= -53 and <= 53));
            return valid ? (ordinal, (DayOfWeek)day)
                : Refuse<(int, DayOfWeek)>($"BYDAY '{item}' is not a weekday such as MO, 1MO or -1FR.");
        }),
    ];

    /// <summary>The value of a part. A part that is never taken is not supported.</summary>
    private string? Take(string name) => _parts.Remove(name, out var value) ? value : null;

    private string[] Items(string name) => Take(name)?.Split(',') ?? [];

    private static bool Local(string value, out DateTime local) =>
        DateTime.TryParseExact(value, Stamp, CultureInfo.InvariantCulture, DateTimeStyles.None, out local)
            && local.Year is > 1970 and < 9000;

    /// <summary>The first fault is the one that is reported.</summary>
    private T? Refuse<T>(string fault)
    {
        _fault ??= fault;
        return default;
    }
}
