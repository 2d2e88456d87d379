using System.Globalization;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Tests.Web.Calendar;

/// <summary>Random rules, compared with a model that tests every half hour against the definition of each part.</summary>
public sealed class RecurrenceModelTests
{
    private static readonly string[] _days = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_rule_yields_what_the_model_yields(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 40; i++)
        {
            var anchor = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified).AddDays(random.Next(900))
                .AddMinutes(30 * random.Next(48));
            var parts = Parts(random);
            var text = string.Join(';', parts.Select(part => $"{part.Key}={part.Value}"));
            var from = anchor.AddDays(random.Next(-10, 200));
            var until = anchor.AddDays(800);
            var rule = RecurrenceRule.Read(text, "UTC", anchor, out var fault);
            fault.ShouldBeEmpty(text);
            var expected = Model(parts, anchor, until).Where(time => time >= from).ToList();
            rule!.From(from, Budgets.Answer()).TakeWhile(time => time < until).ToList()
                .ShouldBe(expected, $"{text} from {from:s} by {anchor:s}");
        }
    }

    [Theory]
    [InlineData("Europe/Amsterdam")]
    [InlineData("America/New_York")]
    [InlineData("Australia/Lord_Howe")]
    [InlineData("America/Havana")]
    [InlineData("Africa/Cairo")]
    [InlineData("Africa/Casablanca")]
    [InlineData("America/Santiago")]
    [InlineData("Antarctica/Troll")]
    [InlineData("Asia/Kathmandu")]
    public void Cron_in_a_zone_yields_what_a_look_at_every_minute_yields(string zone)
    {
        var info = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var random = new Random(zone.Length);
        for (var i = 0; i < 3; i++)
        {
            var (minutes, hours) = (Some(0, 60, 3), Some(0, 24, 4).Union(Some(0, 4, 3)).ToList());
            var (days, months, weekdays) = (Some(1, 32, 6), Some(1, 13, 6), Some(0, 7, 2));
            var (anyDay, anyWeekday, anyMonth) = (random.Next(2) == 0, random.Next(2) == 0, random.Next(2) == 0);
            var text = $"{string.Join(',', minutes)} {string.Join(',', hours)} {(anyDay ? "*" : string.Join(',', days))} "
                + $"{(anyMonth ? "*" : string.Join(',', months))} {(anyWeekday ? "*" : string.Join(',', weekdays))}";
            var from = new DateTimeOffset(2027 + random.Next(6), 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(random.Next(525_600));
            var until = from.AddDays(366);
            var expected = new List<DateTimeOffset>();
            for (var at = from.AddMinutes(1); at < until; at = at.AddMinutes(1))
            {
                var (local, passed) = (Local(at), Local(at.AddMinutes(-1)).AddMinutes(1));
                // The first pass of a repeated hour; and after a gap, the times within the gap.
                var meant =
                    (info.IsAmbiguousTime(local) && info.GetAmbiguousTimeOffsets(local).Max() != info.GetUtcOffset(at)
                        ? [] : new[] { local })
                    .Concat(Enumerable.Range(0, Math.Max(0, (int)(local - passed).TotalMinutes)).Select(n => passed.AddMinutes(n)));
                if (meant.Any(Meant))
                {
                    expected.Add(at);
                }
            }

            Recurrence.Read(new RecurrenceText(text, null, zone, default)).Value.After(from, Budgets.Answer()).TakeWhile(at => at < until)
                .ShouldBe(expected, $"{text} from {from:O}");

            bool Meant(DateTime time)
            {
                var (day, weekday) = (days.Contains(time.Day), weekdays.Contains((int)time.DayOfWeek));
                var falls =
                    (anyDay, anyWeekday) switch
                    {
                        (true, true) => true,
                        (true, false) => weekday,
                        (false, true) => day,
                        _ => day || weekday
                    };
                return falls && minutes.Contains(time.Minute) && hours.Contains(time.Hour) && (anyMonth || months.Contains(time.Month));
            }
        }

        DateTime Local(DateTimeOffset at) => TimeZoneInfo.ConvertTime(at, info).DateTime;

        List<int> Some(int low, int high, int most) =>
            [.. Enumerable.Range(0, random.Next(1, most + 1)).Select(_ => random.Next(low, high)).Distinct()];
    }

    private static Dictionary<string, string> Parts(Random random)
    {
        var freq = random.GetItems(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"], 1)[0];
        var parts = new Dictionary<string, string> { ["FREQ"] = freq, ["INTERVAL"] = $"{random.Next(1, 4)}" };
        Maybe("BYMONTH", () => $"{random.Next(1, 13)}");
        if (freq != "WEEKLY")
        {
            Maybe("BYMONTHDAY", () => $"{(random.Next(2) == 0 ? random.Next(1, 32) : -random.Next(1, 32))}");
        }

        Maybe("BYDAY",
            () => (freq is "MONTHLY" or "YEARLY" && random.Next(2) == 0 ? $"{(random.Next(2) == 0 ? -1 : 1) * random.Next(1, 6)}" : "")
                + _days[random.Next(7)]);
        Maybe("BYHOUR", () => $"{random.Next(24)}");
        Maybe("BYMINUTE", () => $"{30 * random.Next(2)}");
        if (random.Next(2) == 0)
        {
            parts["WKST"] = _days[random.Next(7)];
        }

        if (parts.Keys.Any(name => name.StartsWith("BY", StringComparison.Ordinal)) && random.Next(4) == 0)
        {
            parts["BYSETPOS"] = $"{random.Next(1, 4)},{-random.Next(1, 4)}";
        }

        if (random.Next(3) == 0)
        {
            parts["COUNT"] = $"{random.Next(1, 60)}";
        }

        return parts;

        void Maybe(string name, Func<string> value)
        {
            if (random.Next(3) == 0)
            {
                parts[name] = string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => value()).Distinct());
            }
        }
    }

    private static IEnumerable<DateTime> Model(Dictionary<string, string> parts, DateTime anchor, DateTime until)
    {
        var freq = parts["FREQ"];
        var interval = int.Parse(parts["INTERVAL"], CultureInfo.InvariantCulture);
        var slots = new List<DateTime>();
        for (var time = anchor.Date.AddDays(1 - anchor.DayOfYear).AddDays(-7); time < until.AddDays(400); time = time.AddMinutes(30))
        {
            slots.Add(time);
        }

        var matching = slots.Where(time => PeriodsSince(time) is var n && n >= 0 && n % interval == 0 && Matches(time))
            .GroupBy(PeriodsSince).SelectMany(Placed).Where(time => time >= anchor);
        return (parts.TryGetValue("COUNT", out var count) ? matching.Take(int.Parse(count, CultureInfo.InvariantCulture)) : matching)
            .Where(time => time < until);

        int PeriodsSince(DateTime time) => freq switch
        {
            "HOURLY" => (int)(time.Date.AddHours(time.Hour) - anchor.Date.AddHours(anchor.Hour)).TotalHours,
            "DAILY" => (time.Date - anchor.Date).Days,
            "WEEKLY" => (WeekStart(time) - WeekStart(anchor)).Days / 7,
            "MONTHLY" => (time.Year * 12) + time.Month - (anchor.Year * 12) - anchor.Month,
            _ => time.Year - anchor.Year,
        };

        DateTime WeekStart(DateTime time)
        {
            var first = (DayOfWeek)Array.IndexOf(_days, parts.GetValueOrDefault("WKST", "MO"));
            var day = time.Date;
            while (day.DayOfWeek != first)
            {
                day = day.AddDays(-1);
            }

            return day;
        }

        IEnumerable<DateTime> Placed(IEnumerable<DateTime> group)
        {
            var times = group.ToList();
            return parts.TryGetValue("BYSETPOS", out var positions)
                ? times.Where(
                    (_, i) =>
                        positions.Split(',')
                            .Any(position => int.Parse(position, CultureInfo.InvariantCulture) is var p
                                && (p == i + 1 || p == i - times.Count)))
                : times;
        }

        bool Matches(DateTime time)
        {
            bool Has(string name) => parts.ContainsKey(name);
            bool In(string name, params int[] values) =>
                parts[name].Split(',').Any(item => values.Contains(int.Parse(item, CultureInfo.InvariantCulture)));
            if (Has("BYMONTH") && !In("BYMONTH", time.Month))
            {
                return false;
            }

            if (Has("BYMONTHDAY") && !In("BYMONTHDAY", time.Day, time.Day - DateTime.DaysInMonth(time.Year, time.Month) - 1))
            {
                return false;
            }

            if (Has("BYDAY") && !parts["BYDAY"].Split(',').Any(item => Weekday(time, item)))
            {
                return false;
            }

            // RFC 5545: parts that the rule leaves open come from DTSTART.
            if (!Has("BYDAY") && !Has("BYMONTHDAY")
                && ((freq == "WEEKLY" && time.DayOfWeek != anchor.DayOfWeek) || (freq is "MONTHLY" or "YEARLY" && time.Day != anchor.Day)
                    || (freq == "YEARLY" && !Has("BYMONTH") && time.Month != anchor.Month)))
            {
                return false;
            }

            return (Has("BYHOUR") ? In("BYHOUR", time.Hour) : freq == "HOURLY" || time.Hour == anchor.Hour)
                && (Has("BYMINUTE") ? In("BYMINUTE", time.Minute) : time.Minute == anchor.Minute);
        }

        bool Weekday(DateTime time, string item)
        {
            if (_days[(int)time.DayOfWeek] != item[^2..])
            {
                return false;
            }

            if (item.Length == 2)
            {
                return true;
            }

            var byYear = freq == "YEARLY" && !parts.ContainsKey("BYMONTH");
            bool Inside(DateTime day) => day.Year == time.Year && (byYear || day.Month == time.Month);
            var (before, after) = (0, 0);
            for (var day = time.Date; Inside(day); day = day.AddDays(-7))
            {
                before++;
            }

            for (var day = time.Date; Inside(day); day = day.AddDays(7))
            {
                after++;
            }

            return int.Parse(item[..^2], CultureInfo.InvariantCulture) is var n && (n == before || n == -after);
        }
    }
}
