using System.Globalization;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Tests.Web.Calendar;

public sealed class RecurrenceTests
{
    private const string Amsterdam = "Europe/Amsterdam";
    private const string NewYork = "America/New_York";

    [Theory]
    [InlineData("30 2 * * *", Amsterdam, "2026-03-28T00:00Z", "2026-03-28T01:30Z 2026-03-29T01:00Z 2026-03-30T00:30Z")]
    [InlineData("30 2 * * *", Amsterdam, "2026-10-24T00:00Z", "2026-10-24T00:30Z 2026-10-25T00:30Z 2026-10-26T01:30Z")]
    [InlineData("30 2 * * *", NewYork, "2026-03-07T00:00Z", "2026-03-07T07:30Z 2026-03-08T07:00Z 2026-03-09T06:30Z")]
    [InlineData("30 1 * * *", NewYork, "2026-10-31T00:00Z", "2026-10-31T05:30Z 2026-11-01T05:30Z 2026-11-02T06:30Z")]
    [InlineData(
        "*/30 1-3 * * *", Amsterdam, "2026-03-29T00:00Z", "2026-03-29T00:30Z 2026-03-29T01:00Z 2026-03-29T01:30Z 2026-03-29T23:00Z")]
    [InlineData("0 2 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T02:00Z 2032-02-29T02:00Z")]
    [InlineData("0 0 13 * FRI", "UTC", "2026-11-01T00:00Z", "2026-11-06T00:00Z 2026-11-13T00:00Z 2026-11-20T00:00Z")]
    [InlineData(
        "15,45 8-10/2 * jan 1-5", "UTC", "2027-01-01T00:00Z",
        "2027-01-01T08:15Z 2027-01-01T08:45Z 2027-01-01T10:15Z 2027-01-01T10:45Z 2027-01-04T08:15Z")]
    [InlineData("*,59 3,4/1 29-31/2,* 2 *", "UTC", "2027-02-28T04:58Z", "2027-02-28T04:59Z 2028-02-01T03:00Z")]
    [InlineData("0 12 * * 7", "UTC", "2026-11-20T00:00Z", "2026-11-22T12:00Z 2026-11-29T12:00Z")]
    [InlineData("@hourly", "UTC", "2026-11-20T00:00Z", "2026-11-20T01:00Z 2026-11-20T02:00Z")]
    [InlineData("@daily", Amsterdam, "2026-11-20T00:00Z", "2026-11-20T23:00Z 2026-11-21T23:00Z")]
    [InlineData("@Midnight", "UTC", "2026-11-20T00:00Z", "2026-11-21T00:00Z")]
    [InlineData("@weekly", "UTC", "2026-11-20T00:00Z", "2026-11-22T00:00Z 2026-11-29T00:00Z")]
    [InlineData("@monthly", "UTC", "2026-11-20T00:00Z", "2026-12-01T00:00Z 2027-01-01T00:00Z")]
    [InlineData("@yearly", "UTC", "2026-11-20T00:00Z", "2027-01-01T00:00Z 2028-01-01T00:00Z")]
    [InlineData("*/30 * * * *", Amsterdam, "2026-10-24T23:59Z", "2026-10-25T00:00Z 2026-10-25T00:30Z 2026-10-25T02:00Z")]
    [InlineData("*/30 * * * *", Amsterdam, "2026-03-29T00:29Z", "2026-03-29T00:30Z 2026-03-29T01:00Z 2026-03-29T01:30Z")]
    public void Cron_fires_at_local_times_once_each(string cron, string zone, string after, string expected) =>
        Next(cron, null, zone, after, expected);

    // The first three are examples of RFC 5545, section 3.8.5.3, in UTC.
    [Theory]
    [InlineData(
        "DTSTART:19970902T090000\nRRULE:FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-01T00:00Z",
        "1997-09-22T09:00Z 1997-10-20T09:00Z 1997-11-17T09:00Z 1997-12-22T09:00Z 1998-01-19T09:00Z 1998-02-16T09:00Z")]
    [InlineData(
        "DTSTART:19970904T090000\nRRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-01T00:00Z",
        "1997-09-04T09:00Z 1997-10-07T09:00Z 1997-11-06T09:00Z")]
    [InlineData(
        "DTSTART:19970805T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU", "1997-08-01T00:00Z",
        "1997-08-05T09:00Z 1997-08-10T09:00Z 1997-08-19T09:00Z 1997-08-24T09:00Z")]
    [InlineData("DTSTART:20240229T020000\nFREQ=YEARLY", "2024-01-01T00:00Z", "2024-02-29T02:00Z 2028-02-29T02:00Z 2032-02-29T02:00Z")]
    [InlineData("DTSTART:20260131T020000\nFREQ=MONTHLY", "2026-01-01T00:00Z", "2026-01-31T02:00Z 2026-03-31T02:00Z 2026-05-31T02:00Z")]
    [InlineData(
        "DTSTART:20260101T020000\nFREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-01T00:00Z",
        "2026-01-31T02:00Z 2026-02-28T02:00Z 2026-03-31T02:00Z")]
    [InlineData(
        "DTSTART:20260101T020000\nFREQ=DAILY;UNTIL=20260103", "2025-01-01T00:00Z", "2026-01-01T02:00Z 2026-01-02T02:00Z 2026-01-03T02:00Z")]
    [InlineData("DTSTART:20260101T020000\nFREQ=DAILY;UNTIL=20260102T020000Z", "2025-01-01T00:00Z", "2026-01-01T02:00Z 2026-01-02T02:00Z")]
    public void A_rule_yields_what_the_standard_says(string rrule, string after, string expected)
    {
        Next(null, rrule, "UTC", after, expected);
        if (rrule.Contains("COUNT", StringComparison.Ordinal) || rrule.Contains("UNTIL", StringComparison.Ordinal))
        {
            Read(null, rrule, "UTC").After(Instant(after), Budgets.Answer()).Count().ShouldBe(expected.Split(' ').Length, "the rule ends");
        }
    }

    [Theory]
    [InlineData( // AWX
        "DTSTART;TZID=America/New_York:20270104T020000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO", NewYork, "2027-01-01T00:00Z",
        "2027-01-04T07:00Z 2027-01-11T07:00Z")]
    [InlineData("DTSTART:20270104T020000Z RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20270105T020000Z", "UTC", "2027-01-01T00:00Z",
        "2027-01-04T02:00Z 2027-01-05T02:00Z")]
    [InlineData( // rrule.js
        "DTSTART:20270104T093000Z\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270201T230000Z;BYDAY=MO,FR;WKST=SU;BYSECOND=0", "UTC",
        "2027-01-01T00:00Z", "2027-01-04T09:30Z 2027-01-08T09:30Z 2027-01-18T09:30Z 2027-01-22T09:30Z 2027-02-01T09:30Z")]
    [InlineData( // Google Calendar
        "EXDATE;TZID=Europe/Amsterdam:20270105T020000,20270106T020000\r\nRRULE:FREQ=DAILY;WKST=MO;COUNT=4\r\n"
            + "DTSTART;TZID=Europe/Amsterdam:20270104T020000\r\n", Amsterdam, "2027-01-01T00:00Z", "2027-01-04T01:00Z 2027-01-07T01:00Z")]
    [InlineData( // Outlook, with folded lines
        "DTSTART;TZID=\"Europe/Amsterdam\":20270104T020000\r\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;\r\n WKST=SU;\r\n",
        Amsterdam, "2027-01-01T00:00Z", "2027-01-29T01:00Z 2027-02-26T01:00Z 2027-03-31T00:00Z")]
    [InlineData(
        "DTSTART:20270104T020000\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20270105\nEXDATE:20270106T010000Z", Amsterdam, "2027-01-01T00:00Z",
        "2027-01-04T01:00Z 2027-01-07T01:00Z")]
    [InlineData("rrule:freq=daily;byhour=2;byminute=0;", "UTC", "2027-01-01T00:00Z", "2027-01-01T02:00Z 2027-01-02T02:00Z")]
    [InlineData("DTSTART;TZID=US/Eastern:20270104T020000 FREQ=DAILY", NewYork, "2027-01-01T00:00Z", "2027-01-04T07:00Z 2027-01-05T07:00Z")]
    [InlineData(
        "DTSTART:20261025T003000 RRULE:FREQ=HOURLY", Amsterdam, "2026-10-24T00:00Z",
        "2026-10-24T22:30Z 2026-10-24T23:30Z 2026-10-25T00:30Z 2026-10-25T02:30Z")]
    [InlineData(
        "DTSTART:20270101T053000 RRULE:FREQ=HOURLY;INTERVAL=8;BYDAY=FR,MO", "UTC", "2027-01-01T06:00Z",
        "2027-01-01T13:30Z 2027-01-01T21:30Z 2027-01-04T05:30Z 2027-01-04T13:30Z")]
    [InlineData( // RFC 5545, 3.3.10: the same rule with weeks from Monday and from Sunday
        "DTSTART:19970805T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "UTC", "1997-08-01T00:00Z",
        "1997-08-05T09:00Z 1997-08-17T09:00Z 1997-08-19T09:00Z 1997-08-31T09:00Z")]
    public void A_rule_of_another_tool_is_taken_as_it_stands(string rrule, string zone, string after, string expected) =>
        Next(null, rrule, zone, after, expected);

    [Theory]
    [InlineData("FREQ=MINUTELY;INTERVAL=30", "FREQ=MINUTELY", "cron")]
    [InlineData("FREQ=SECONDLY", "FREQ=SECONDLY", "minute")]
    [InlineData("FREQ=DAILY;BYSECOND=0,30", "BYSECOND", "0")]
    [InlineData("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY", "BYMONTHDAY")]
    [InlineData("FREQ=DAILY;BYWEEKNO=1", "BYWEEKNO", "BYDAY")]
    [InlineData("DTSTART;TZID=Europe/Paris:20260101T020000 RRULE:FREQ=DAILY", "Europe/Paris", "timeZone")]
    [InlineData("DTSTART:20260101T020000Z RRULE:FREQ=DAILY", "UTC", "timeZone")]
    [InlineData("DTSTART;TZID=W. Europe Standard Time:20260101T020000\nRRULE:FREQ=DAILY", "W. Europe Standard Time", "IANA")]
    [InlineData("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=DAILY", "DTSTART '20260101'", "DTSTART:2027")]
    [InlineData("DTSTART:20260101T020030 RRULE:FREQ=DAILY", "seconds", "minute")]
    [InlineData("DTSTART:20260101T020000 DTSTART:20260102T020000 RRULE:FREQ=DAILY", "DTSTART", "twice")]
    [InlineData("RRULE:FREQ=DAILY RRULE:FREQ=WEEKLY", "One rule", "one more")]
    [InlineData("FREQ=DAILY RDATE:20260101T020000", "RDATE", "of its own")]
    [InlineData("FREQ=DAILY EXRULE:FREQ=WEEKLY", "EXRULE", "EXDATE")]
    [InlineData("FREQ=DAILY\nEXDATE:yesterday", "EXDATE", "for example")]
    [InlineData("FREQ=DAILY\nEXDATE;TZID=Mars/Olympus:20260101T020000", "Mars/Olympus", "IANA")]
    public void What_is_refused_is_named_with_what_to_do(string rrule, string part, string remedy)
    {
        var read = Recurrence.Read(
            new RecurrenceText(null, rrule, NewYork, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified)));
        var fault = read.Problem.ShouldNotBeNull().Errors!.Single();
        fault.Pointer.ShouldBe("/rrule");
        fault.Detail.ShouldContain(part);
        fault.Detail.ShouldContain(remedy);
    }

    [Theory]
    [InlineData(Amsterdam, "DTSTART;TZID=America/New_York:20270104T020000 RRULE:FREQ=DAILY", Amsterdam)]
    [InlineData(null, "RRULE:FREQ=DAILY DTSTART;TZID=America/New_York:20270104T020000", NewYork)]
    [InlineData(null, "DTSTART:20270104T020000Z\nFREQ=DAILY", "UTC")]
    [InlineData(null, "DTSTART:20270104T020000\nFREQ=DAILY", null)]
    [InlineData(null, null, null)]
    public void The_zone_of_a_rule_stands_in_where_none_is_given(string? timeZone, string? rrule, string? zone)
    {
        var read = Recurrence.Zone(timeZone, rrule);
        (read.Problem is null ? read.Value : null).ShouldBe(zone);
        if (zone is null)
        {
            read.Problem!.StatusCode.ShouldBe(400);
            read.Problem.Errors!.Single().Pointer.ShouldBe("/timeZone");
        }
    }

    [Fact]
    public void A_rule_follows_the_wall_clock_over_a_change() =>
        Next(null, "DTSTART;TZID=Europe/Amsterdam:20260328T023000\nFREQ=DAILY;COUNT=3", Amsterdam, "2026-03-01T00:00Z",
            "2026-03-28T01:30Z 2026-03-29T01:00Z 2026-03-30T00:30Z");

    [Fact]
    public void A_day_that_a_zone_skips_fires_at_the_next_midnight() =>
        Next("0 12 * * *", null, "Pacific/Apia", "2011-12-29T00:00Z", "2011-12-29T22:00Z 2011-12-30T10:00Z 2011-12-30T22:00Z");

    [Theory]
    [InlineData("61 * * * *", null, "UTC", "/cron")]
    [InlineData("* * * *", null, "UTC", "/cron")]
    [InlineData("* * * * * *", null, "UTC", "/cron")]
    [InlineData("5-1 * * * *", null, "UTC", "/cron")]
    [InlineData("*/0 * * * *", null, "UTC", "/cron")]
    [InlineData("* * L * *", null, "UTC", "/cron")]
    [InlineData("* * 15W * *", null, "UTC", "/cron")]
    [InlineData("* * * * 5L", null, "UTC", "/cron")]
    [InlineData("* * * * 1#2", null, "UTC", "/cron")]
    [InlineData("* * ? * *", null, "UTC", "/cron")]
    [InlineData("H * * * *", null, "UTC", "/cron")]
    [InlineData("@reboot", null, "UTC", "/cron")]
    [InlineData("@", null, "UTC", "/cron")]
    [InlineData("CRON_TZ=UTC 0 1 * * *", null, "UTC", "/cron")]
    [InlineData("0 0 1 * * *", null, "UTC", "/cron")]
    [InlineData("* 22-2 * * *", null, "UTC", "/cron")]
    [InlineData("* * * * FRI-MON", null, "UTC", "/cron")]
    [InlineData("* * * FRI *", null, "UTC", "/cron")]
    [InlineData("* * * * *\n", null, "UTC", "/cron")]
    [InlineData("*-5 * * * *", null, "UTC", "/cron")]
    [InlineData(", * * * *", null, "UTC", "/cron")]
    [InlineData("* * * * *", null, "Europe/Atlantis", "/timeZone")]
    [InlineData("* * * * *", null, "../../etc/passwd", "/timeZone")]
    [InlineData("* * * * *", null, "W. Europe Standard Time", "/timeZone")]
    [InlineData(null, null, "UTC", "/cron")]
    [InlineData("* * * * *", "FREQ=DAILY", "UTC", "/rrule")]
    [InlineData(null, "FREQ=SECONDLY", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;BYYEARDAY=1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;BYWEEKNO=1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;WKST=XX", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;COUNT=1;UNTIL=20300101", "UTC", "/rrule")]
    [InlineData(null, "FREQ=WEEKLY;BYMONTHDAY=1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=WEEKLY;BYDAY=1MO", "UTC", "/rrule")]
    [InlineData(null, "FREQ=MONTHLY;BYDAY=0MO", "UTC", "/rrule")]
    [InlineData(null, "FREQ=MONTHLY;BYSETPOS=1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;FREQ=DAILY", "UTC", "/rrule")]
    [InlineData(null, "INTERVAL=1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;INTERVAL=0", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;INTERVAL=-1", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;BYHOUR=24", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;BYHOUR=", "UTC", "/rrule")]
    [InlineData(null, "FREQ=DAILY;BYDAY=MO,", "UTC", "/rrule")]
    [InlineData(null, "", "UTC", "/rrule")]
    [InlineData(null, "RRULE:", "UTC", "/rrule")]
    [InlineData(null, "BEGIN:VEVENT\nRRULE:FREQ=DAILY", "UTC", "/rrule")]
    public void An_unsupported_part_is_refused_with_its_position(string? cron, string? rrule, string zone, string pointer)
    {
        var read = Recurrence.Read(new RecurrenceText(cron, rrule, zone, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified)));
        read.Problem.ShouldNotBeNull();
        read.Problem.StatusCode.ShouldBe(422);
        read.Problem.Errors!.Single().Pointer.ShouldBe(pointer);
    }

    [Fact]
    public void A_rule_without_occurrences_ends()
    {
        Read("0 0 31 2 *", null, "UTC").After(Instant("2026-01-01T00:00Z"), Budgets.Answer()).ShouldBeEmpty();
        Read(null, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "UTC").After(Instant("2026-01-01T00:00Z"), Budgets.Answer()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Amsterdam)]
    [InlineData(NewYork)]
    [InlineData("Australia/Lord_Howe")]
    [InlineData("Asia/Kathmandu")]
    public void Every_local_minute_of_a_year_is_one_instant_in_order(string zone)
    {
        var clock = ZoneClock.Find(zone)!;
        var info = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var last = DateTimeOffset.MinValue;
        for (var local = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified); local.Year == 2026; local = local.AddMinutes(10))
        {
            var instant = clock.Instant(local);
            instant.ShouldBeGreaterThanOrEqualTo(last);
            if (!info.IsInvalidTime(local))
            {
                clock.Local(instant).ShouldBe(local);
                instant.UtcDateTime.ShouldBe(
                    local - (info.IsAmbiguousTime(local) ? info.GetAmbiguousTimeOffsets(local).Max() : info.GetUtcOffset(local)));
            }
            else
            {
                info.IsInvalidTime(clock.Local(instant)).ShouldBeFalse();
                info.IsInvalidTime(clock.Local(instant.AddMinutes(-1)).AddMinutes(1)).ShouldBeTrue("no earlier instant would do");
            }

            last = instant;
        }
    }

    private static void Next(string? cron, string? rrule, string zone, string after, string expected)
    {
        var wanted = expected.Split(' ');
        Read(cron, rrule, zone).After(Instant(after), Budgets.Answer()).Take(wanted.Length)
            .Select(at => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm'Z'", CultureInfo.InvariantCulture)).ShouldBe(wanted);
    }

    private static Recurrence Read(string? cron, string? rrule, string zone) =>
        Recurrence.Read(new RecurrenceText(cron, rrule, zone, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified))).Value;

    private static DateTimeOffset Instant(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
