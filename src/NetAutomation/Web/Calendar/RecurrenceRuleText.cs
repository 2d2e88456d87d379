using System.Globalization;

namespace NetAutomation.Web.Calendar;

/// <summary>
/// The text of a rule as calendars and schedulers write it: <c>RRULE:FREQ=…</c> or <c>FREQ=…</c>, and beside it <c>DTSTART…</c> and
/// <c>EXDATE…</c> if wanted, each on a line of its own or separated by blanks. Case does not count, nor does a semicolon at an end.
/// </summary>
internal sealed class RecurrenceRuleText(string text, string timeZone)
{
    private const int Longest = 4096;
    private const string Stamp = "yyyyMMdd'T'HHmmss";
    private const string Utc = "UTC";
    private static readonly string[] _days = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

    /// <summary>What is known and not supported, and what to do instead.</summary>
    private static readonly Dictionary<string, string> _remedies = new(StringComparer.Ordinal)
    {
        ["BYYEARDAY"] = "use BYMONTH with BYMONTHDAY", ["BYWEEKNO"] = "use BYMONTH with BYDAY", ["BYEASTER"] = "name the days by EXDATE",
        ["RDATE"] = "make a schedule or window of its own for these dates", ["EXRULE"] = "name the days by EXDATE",
        ["DTEND"] = "leave it out of the rule", ["DURATION"] = "leave it out of the rule",
    };

    private static readonly string[] _properties = ["DTSTART", "RRULE", "EXDATE", "RDATE", "EXRULE", "DTEND", "DURATION"];
    private readonly Dictionary<string, string> _parts = new(StringComparer.Ordinal);
    private string? _fault;

    /// <summary>The zone that DTSTART names; null where there is none.</summary>
    public static string? Zone(string text) =>
        text.Length > Longest ? null : Properties(text).Find(property => property.Name == "DTSTART")?.Zone;

    public RecurrenceRule? Read(DateTime anchor, out string fault)
    {
        var rule = text.Length <= Longest ? Rule(anchor) : Refuse<RecurrenceRule>($"A rule is at most {Longest} characters.");
        fault = _fault ?? "";
        return _fault is null ? rule : null;
    }

    private RecurrenceRule? Rule(DateTime anchor)
    {
        var properties = Properties(text);
        if (properties.Find(property => property.Name is not ("DTSTART" or "RRULE" or "EXDATE")) is { Name: var name })
        {
            return Refuse<RecurrenceRule>($"{name} is not supported: {_remedies[name]}.");
        }

        if (properties.FindAll(property => property.Name == "DTSTART") is { Count: > 0 } starts)
        {
            anchor = starts.Count == 1 ? Start(starts[0]) : Refuse<DateTime>("DTSTART stands twice: a rule has one start.");
        }

        if (properties.FindAll(property => property.Name == "RRULE") is not [var rrule])
        {
            return Refuse<RecurrenceRule>(
                "One rule is needed, for example RRULE:FREQ=WEEKLY;BYDAY=SA;BYHOUR=2;BYMINUTE=0. For a second one, make one more.");
        }

        foreach (var part in rrule.Value.ToUpperInvariant().Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            if (at < 1 || at == part.Length - 1 || !_parts.TryAdd(part[..at], part[(at + 1)..]))
            {
                return Refuse<RecurrenceRule>($"'{part}' is not NAME=value, or is given twice.");
            }
        }

        if (Repeats() is not { } frequency)
        {
            return null;
        }

        if (Take("BYSECOND") is { } seconds && seconds.Split(',').Any(second => second is not ("0" or "00")))
        {
            return Refuse<RecurrenceRule>("BYSECOND is 0 or left out: an occurrence is a whole minute.");
        }

        var (untilLocal, untilUtc) = Until();
        var rule = new RecurrenceRule(
            anchor, frequency, Number("INTERVAL", 1000) ?? 1, Number("COUNT", 10_000), untilLocal, untilUtc,
            Months: Numbers("BYMONTH", 1, 12, signed: false),
            MonthDays: Numbers("BYMONTHDAY", 1, 31, signed: true),
            Days: Days(),
            Hours: Numbers("BYHOUR", 0, 23, signed: false),
            Minutes: Numbers("BYMINUTE", 0, 59, signed: false),
            Positions: Numbers("BYSETPOS", 1, 366, signed: true),
            WeekStart: WeekStart(),
            Excluded: Excluded(properties.Where(property => property.Name == "EXDATE")));
        return _parts.Keys.FirstOrDefault() is { } unknown
                ? Refuse<RecurrenceRule>(
                    $"{unknown} is not supported{(_remedies.TryGetValue(unknown, out var remedy) ? $": {remedy}" : "")}.")
            : Conflict(rule) is { } conflict ? Refuse<RecurrenceRule>(conflict)
            : rule;
    }

    private Frequency? Repeats() => Take("FREQ") switch
    {
        "HOURLY" => Frequency.Hourly,
        "DAILY" => Frequency.Daily,
        "WEEKLY" => Frequency.Weekly,
        "MONTHLY" => Frequency.Monthly,
        "YEARLY" => Frequency.Yearly,
        "MINUTELY" => Refuse<Frequency?>("FREQ=MINUTELY is not supported: use cron, for example */30 * * * *."),
        "SECONDLY" => Refuse<Frequency?>("FREQ=SECONDLY is not supported: an occurrence is a whole minute."),
        _ => Refuse<Frequency?>("FREQ is HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY."),
    };

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

    /// <summary>The start as a local time. A zone other than the rule's is refused: nobody could tell which of them is meant.</summary>
    private DateTime Start(Property start)
    {
        if (start.Zone is { } zone && !ZoneClock.AreSame(zone, timeZone))
        {
            return Refuse<DateTime>(ZoneClock.Find(zone) is null
                ? $"TZID '{zone}' is not an IANA time zone, for example Europe/Amsterdam."
                : $"DTSTART is in {zone}, timeZone is {timeZone}: set timeZone to {zone}, or write DTSTART as a local time, "
                    + "for example DTSTART:20270131T020000.");
        }

        return Time("DTSTART", start.Value.ToUpperInvariant().TrimEnd('Z'));
    }

    /// <summary>What EXDATE takes out. A date without a time takes the whole day.</summary>
    private Exclusions Excluded(IEnumerable<Property> properties)
    {
        var (times, days) = (new HashSet<DateTimeOffset>(), new HashSet<DateOnly>());
        foreach (var property in properties)
        {
            foreach (var value in property.Value.ToUpperInvariant().Split([',', ';'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (Date(value) is { } day)
                {
                    days.Add(DateOnly.FromDateTime(day));
                }
                else if (ZoneClock.Find(value.EndsWith('Z') ? Utc : property.Named ?? timeZone) is not { } zone)
                {
                    Refuse<Exclusions>($"TZID '{property.Named}' is not an IANA time zone, for example Europe/Amsterdam.");
                }
                else if (Time("EXDATE", value.TrimEnd('Z')) is var time && _fault is null)
                {
                    times.Add(zone.Instant(time));
                }
            }
        }

        return new Exclusions(times, days);
    }

    private DateTime Time(string name, string value) =>
        !Local(value, out var local)
            ? Refuse<DateTime>($"{name} '{value}' is not a date with a time, for example {name}:20270131T020000.")
            : local.Second != 0 ? Refuse<DateTime>($"{name} '{value}' has seconds: an occurrence is a whole minute.")
            : local;

    private (DateTime? Local, DateTimeOffset? Utc) Until() => Take("UNTIL") switch
    {
        null => (null, null),
        [.. var time, 'Z'] when Local(time, out var utc) => (null, new DateTimeOffset(utc, TimeSpan.Zero)),
        var time when Local(time, out var local) => (local, null),
        var date when Date(date) is { } day => (day.AddDays(1).AddSeconds(-1), null),
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

    private DayOfWeek WeekStart()
    {
        var day = Take("WKST") ?? "MO";
        return Array.IndexOf(_days, day) is >= 0 and var number
            ? (DayOfWeek)number : Refuse<DayOfWeek>($"WKST '{day}' is not a weekday such as MO.");
    }

    /// <summary>The value of a part. A part that is never taken is not supported.</summary>
    private string? Take(string name) => _parts.Remove(name, out var value) ? value : null;

    private string[] Items(string name) => Take(name)?.Split(',') ?? [];

    private static bool Local(string value, out DateTime local) =>
        DateTime.TryParseExact(value, Stamp, CultureInfo.InvariantCulture, DateTimeStyles.None, out local)
            && local.Year is > 1970 and < 9000;

    private static DateTime? Date(string value) =>
        DateTime.TryParseExact(value, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day.Year is > 1970 and < 9000 ? day : null;

    /// <summary>
    /// The properties of the text. Words that begin none belong to the one before: a line may be folded, and the name of a zone may hold
    /// blanks. Parts of a rule without RRULE begin one.
    /// </summary>
    private static List<Property> Properties(string text)
    {
        var found = new List<Property>();
        foreach (var word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (Array.Find(_properties, each => word.StartsWith(each, StringComparison.OrdinalIgnoreCase)
                && word.Length > each.Length && word[each.Length] is ':' or ';') is { } name)
            {
                found.Add(new Property(name, word[name.Length..]));
            }
            else if (found is not [.., var last] || (last.Name != "RRULE" && last.HasValue && word.Contains('=', StringComparison.Ordinal)))
            {
                found.Add(new Property("RRULE", $":{word}"));
            }
            else
            {
                found[^1] = last with { Text = last.Text + (last.HasValue ? "" : " ") + word };
            }
        }

        return found;
    }

    /// <summary>The first fault is the one that is reported.</summary>
    private T? Refuse<T>(string fault)
    {
        _fault ??= fault;
        return default;
    }

    /// <summary>A line of an iCalendar text (RFC 5545, section 3.1).</summary>
    /// <param name="Text">What follows the name: <c>;TZID=Europe/Amsterdam:20270131T020000</c>.</param>
    private sealed record Property(string Name, string Text)
    {
        private const string ZoneParameter = "TZID=";

        public bool HasValue => Colon >= 0;

        public string Value => HasValue ? Text[(Colon + 1)..].TrimEnd(';') : "";

        /// <summary>The zone it names; null where its times are local ones.</summary>
        public string? Zone => Value.EndsWith('Z') || Value.EndsWith('z') ? Utc : Named;

        /// <summary>The zone of its parameter.</summary>
        public string? Named => Text[..Math.Max(Colon, 0)].Split(';')
                .Where(parameter => parameter.StartsWith(ZoneParameter, StringComparison.OrdinalIgnoreCase))
                .Select(parameter => parameter[ZoneParameter.Length..].Trim('"')).FirstOrDefault();

        /// <summary>The first colon that is not in quotation marks.</summary>
        private int Colon
        {
            get
            {
                var quoted = false;
                for (var i = 0; i < Text.Length; i++)
                {
                    quoted ^= Text[i] == '"';
                    if (Text[i] == ':' && !quoted)
                    {
                        return i;
                    }
                }

                return -1;
            }
        }
    }
}
