using System.Globalization;

namespace NetAutomation.Web.Calendar;

/// <summary>Five cron fields: minute, hour, day of month, month, day of week. Where both day fields are limited, either is enough (POSIX crontab).</summary>
internal sealed class CronRule : ILocalTimes
{
    private const int Years = 30;
    private static readonly string[] s_months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] s_days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    private readonly int[] _minutes;
    private readonly int[] _hours;
    private readonly HashSet<int> _daysOfMonth;
    private readonly HashSet<int> _months;
    private readonly HashSet<int> _daysOfWeek;
    private readonly bool _eitherDay;

    private CronRule(List<SortedSet<int>> fields, bool eitherDay)
    {
        (_minutes, _hours) = ([.. fields[0]], [.. fields[1]]);
        (_daysOfMonth, _months, _daysOfWeek, _eitherDay) = ([.. fields[2]], [.. fields[3]], [.. fields[4].Select(day => day % 7)], eitherDay);
    }

    /// <summary>Null, and the reason, where the text is not five fields.</summary>
    public static CronRule? Read(string text, out string fault)
    {
        var parts = text.Length <= 256 ? text.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        (string Name, int Low, int High, string[]? Names)[] shapes =
            [("minute", 0, 59, null), ("hour", 0, 23, null), ("day of month", 1, 31, null), ("month", 1, 12, s_months), ("day of week", 0, 7, s_days)];
        if (parts.Length != shapes.Length)
        {
            fault = "Five fields are needed: minute, hour, day of month, month, day of week.";
            return null;
        }

        var fields = new List<SortedSet<int>>();
        for (var i = 0; i < parts.Length; i++)
        {
            if (Field(parts[i], shapes[i].Low, shapes[i].High, shapes[i].Names) is not { } field)
            {
                fault = $"The {shapes[i].Name} '{parts[i]}' is not a list of values, ranges and steps from {shapes[i].Low} to {shapes[i].High}.";
                return null;
            }

            fields.Add(field);
        }

        fault = "";
        return new CronRule(fields, parts[2][0] != '*' && parts[4][0] != '*');
    }

    public IEnumerable<DateTime> From(DateTime local)
    {
        var end = local.Year + Years;
        for (var day = local.Date; day.Year < end; day = day.AddDays(1))
        {
            if (!Falls(day))
            {
                continue;
            }

            foreach (var time in _hours.SelectMany(_ => _minutes, (hour, minute) => day.AddMinutes((hour * 60) + minute)).Where(time => time >= local))
            {
                yield return time;
            }
        }
    }

    private bool Falls(DateTime day)
    {
        var (month, week) = (_daysOfMonth.Contains(day.Day), _daysOfWeek.Contains((int)day.DayOfWeek));
        return _months.Contains(day.Month) && (_eitherDay ? month || week : month && week);
    }

    private static SortedSet<int>? Field(string text, int low, int high, string[]? names)
    {
        var values = new SortedSet<int>();
        foreach (var item in text.Split(','))
        {
            var stepped = item.Split('/');
            if (stepped.Length > 2 || (stepped.Length == 2 && Number(stepped[1], 1, high, null) is null))
            {
                return null;
            }

            var step = stepped.Length == 2 ? Number(stepped[1], 1, high, null)!.Value : 1;
            var ends = stepped[0] == "*" ? null : stepped[0].Split('-');
            var first = ends is null ? low : Number(ends[0], low, high, names);
            var last = ends switch { null => high == 7 ? 6 : high, [_, var to] => Number(to, low, high, names), [_] when step > 1 => high, [_] => first, _ => null };
            if (first is null || last is null || first > last)
            {
                return null;
            }

            for (var value = first.Value; value <= last; value += step)
            {
                values.Add(value);
            }
        }

        return values;
    }

    private static int? Number(string text, int low, int high, string[]? names)
    {
        var named = Array.IndexOf(names ?? [], text.ToUpperInvariant());
        if (named >= 0)
        {
            return named + low;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= low && value <= high ? value : null;
    }
}
