using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

/// <summary>Runs that schedules start around changes of the clock and leap days.</summary>
public sealed class OccurrenceTimesTests(PostgresServer postgres)
{
    private const string Yearly = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=2;BYMINUTE=0";
    private static readonly string[] _zones =
        ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Africa/Cairo", "America/Santiago",
            "Asia/Kathmandu", "UTC"];

    // Gap, overlap; the same of half an hour; the same at midnight; leap days.
    [Theory]
    [InlineData("30 2 * * *", "Europe/Amsterdam", "2027-03-27T00:00Z", 15, "2027-03-27T01:30Z 2027-03-28T01:00Z 2027-03-29T00:30Z")]
    [InlineData("30 2 * * *", "Europe/Amsterdam", "2027-10-30T00:00Z", 15, "2027-10-30T00:30Z 2027-10-31T00:30Z 2027-11-01T01:30Z")]
    [InlineData("15 2 * * *", "Australia/Lord_Howe", "2027-10-01T16:00Z", 15, "2027-10-02T15:30Z 2027-10-03T15:15Z 2027-10-04T15:15Z")]
    [InlineData("45 1 * * *", "Australia/Lord_Howe", "2027-04-02T15:00Z", 15, "2027-04-03T14:45Z 2027-04-04T15:15Z")]
    [InlineData("0 0 * * *", "Asia/Beirut", "2027-03-26T23:00Z", 15, "2027-03-27T22:00Z 2027-03-28T21:00Z")]
    [InlineData("30 0 * * *", "America/Havana", "2027-11-06T05:00Z", 15, "2027-11-07T04:30Z 2027-11-08T05:30Z")]
    [InlineData("0 2 29 2 *", "Europe/Amsterdam", "2027-02-20T00:00Z", 4320, "2028-02-29T01:00Z")]
    [InlineData(Yearly, "Europe/Amsterdam", "2027-02-20T00:00Z", 4320, "2028-02-29T01:00Z")]
    [InlineData(
        "FREQ=MONTHLY;BYMONTHDAY=29;BYHOUR=2;BYMINUTE=0", "UTC", "2027-01-20T00:00Z", 1440,
        "2027-01-29T02:00Z 2027-03-29T02:00Z 2027-04-29T02:00Z")]
    [InlineData(
        "FREQ=MONTHLY;BYMONTHDAY=29;BYHOUR=2;BYMINUTE=0", "UTC", "2028-01-20T00:00Z", 1440,
        "2028-01-29T02:00Z 2028-02-29T02:00Z 2028-03-29T02:00Z")]
    public async Task Over_a_change_of_clocks_or_a_leap_day_each_time_starts_one_run(
        string rule, string zone, string from, int minutes, string expected)
    {
        var clock = new FixedClock();
        await using var fixture = await ScheduleFixture.Start(postgres, clock);
        clock.Now = ScheduleFixture.Instant(from);
        await Make(fixture, rule, zone, "once");
        var times = expected.Split(' ').Select(ScheduleFixture.Instant).ToList();
        var fired = new List<DateTimeOffset>();
        for (; clock.Now < times[^1].AddMinutes(minutes + 90); clock.Now += TimeSpan.FromMinutes(minutes))
        {
            await Task.WhenAll(fixture.Host.Fire(), fixture.Host.Fire());
            if (await fixture.CancelFiredRun() is { } at)
            {
                at.ShouldBeLessThanOrEqualTo(clock.Now);
                fired.Add(at);
            }
        }

        fired.ShouldBe(times);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(times.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Previewed_occurrences_fire(int seed)
    {
        var random = new Random(seed);
        var clock = new FixedClock();
        await using var fixture = await ScheduleFixture.Start(postgres, clock);
        var blocked = 0;
        for (var i = 0; i < 12; i++)
        {
            var zone = random.GetItems(_zones, 1)[0];
            clock.Now = BeforeClockChange(zone, random);
            var rule = random.Next(2) == 0 ? Cron(random) : Rrule(random);
            var schedule = await Make(fixture, rule, zone, "skip");
            var window = random.Next(2) == 0 ? await Window(fixture, zone, random) : null;
            foreach (var item in (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/preview?n=5"))["items"]!.AsArray())
            {
                var (at, story) = (ScheduleFixture.Instant(item!["at"])!.Value, $"seed {seed}: {rule} in {zone}, at {item["at"]}");
                clock.Now = at.AddSeconds(-1);
                await fixture.Host.Fire();
                (await fixture.CancelFiredRun()).ShouldBeNull(story);
                clock.Now = at.AddSeconds(random.Next(50));
                await Task.WhenAll(fixture.Host.Fire(), fixture.Host.Fire());
                (await fixture.CancelFiredRun()).ShouldBe(at, story);
                var stored = (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]![0]!;
                (stored["state"]!.GetValue<string>(), ScheduleFixture.Instant(stored["at"])).ShouldBe(("started", at), story);
                blocked += item["blocked"] is null ? 0 : 1;
                stored["blocked"]?.ToJsonString().ShouldBe(item["blocked"]?.ToJsonString(), story);
            }

            (await fixture.Client.Call("DELETE", $"/v1/schedules/{schedule}", ifMatch: "*")).Must(System.Net.HttpStatusCode.NoContent);
            if (window is not null)
            {
                (await fixture.Client.Call("DELETE", $"/v1/windows/{window}", ifMatch: "*")).Must(System.Net.HttpStatusCode.NoContent);
            }
        }

        blocked.ShouldBePositive();
    }

    [Fact]
    public async Task An_occurrence_in_a_deny_window_is_stored_as_blocked_until_the_window_ends()
    {
        // In the night without 02:00 to 03:00 the window of four hours from 00:00 ends at 05:00.
        var clock = new FixedClock();
        await using var fixture = await ScheduleFixture.Start(postgres, clock);
        clock.Now = ScheduleFixture.Instant("2027-03-27T12:00Z");
        var schedule = await Make(fixture, "30 2 * * *", "Europe/Amsterdam", "skip");
        await fixture.Post(
            fixture.Client, "/v1/windows",
            new { name = "freeze", kind = "deny", cron = "0 0 28 3 *", duration = "PT4H", timeZone = "Europe/Amsterdam" });
        var opens = ScheduleFixture.Instant("2027-03-28T03:00Z");
        clock.Now = ScheduleFixture.Instant("2027-03-28T01:00:02Z");
        await fixture.Host.Fire();
        await fixture.Host.Fire();

        var stored = (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray()
            .ShouldHaveSingleItem()!;
        ScheduleFixture.Instant(stored["at"]).ShouldBe(ScheduleFixture.Instant("2027-03-28T01:00Z"));
        (stored["state"]!.GetValue<string>(), stored["blocked"]!["code"]!.GetValue<string>()).ShouldBe(("started", "window"));
        stored["blocked"]!["detail"]!.GetValue<string>().ShouldContain("freeze");
        ScheduleFixture.Instant(stored["blocked"]!["eligibleAt"]).ShouldBe(opens);
        var gate = (await RunFixture.Get(fixture.Client, $"/v1/runs/{stored["runId"]}/why"))["gates"]!.AsArray().ShouldHaveSingleItem()!;
        (gate["code"]!.GetValue<string>(), ScheduleFixture.Instant(gate["eligibleAt"])).ShouldBe(("window", opens));

        clock.Now = opens;
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{stored["runId"]}/why"))["gates"]![0]!["code"]!.GetValue<string>()
            .ShouldBe("queue");
        (await fixture.CancelFiredRun()).ShouldBe(ScheduleFixture.Instant("2027-03-28T01:00Z"));
        clock.Now = ScheduleFixture.Instant("2027-03-29T00:30:02Z");
        await fixture.Host.Fire();
        (await fixture.CancelFiredRun()).ShouldBe(ScheduleFixture.Instant("2027-03-29T00:30Z"), "the next day is free");
    }

    [Fact]
    public async Task An_occurrence_that_starts_nothing_is_stored_with_the_next_one()
    {
        var clock = new FixedClock();
        await using var fixture = await ScheduleFixture.Start(postgres, clock);
        clock.Now = ScheduleFixture.Instant("2027-10-30T00:00Z");
        var schedule = await Make(fixture, "30 2 * * *", "Europe/Amsterdam", "skip");
        // The occurrences: missed, started, skipped while that run waits, refused.
        clock.Now = ScheduleFixture.Instant("2027-10-30T09:00Z");
        await fixture.Host.Fire();
        clock.Now = ScheduleFixture.Instant("2027-10-31T00:30:05Z");
        await fixture.Host.Fire();
        clock.Now = ScheduleFixture.Instant("2027-11-01T01:30:05Z");
        await fixture.Host.Fire();
        (await fixture.CancelFiredRun()).ShouldBe(ScheduleFixture.Instant("2027-10-31T00:30Z"));
        await fixture.Sql("update inventory.device set enabled = false");
        clock.Now = ScheduleFixture.Instant("2027-11-02T01:30:05Z");
        await fixture.Host.Fire();
        var stored = (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray().Reverse().ToList();
        stored.Select(
            item =>
                (item!["state"]!.GetValue<string>(), item["blocked"]?["code"]?.GetValue<string>(),
                    ScheduleFixture.Instant(item["blocked"]?["eligibleAt"]))).ShouldBe(
        [
            ("skipped", "misfire", ScheduleFixture.Instant("2027-10-31T00:30Z")),
            ("started", null, null),
            ("skipped", "overlap", ScheduleFixture.Instant("2027-11-02T01:30Z")),
            ("refused", "validation_failed", ScheduleFixture.Instant("2027-11-03T01:30Z")),
        ]);
    }

    private static async Task<string> Make(RunFixture fixture, string rule, string zone, string misfire)
    {
        var recurs = rule.StartsWith("FREQ", StringComparison.Ordinal);
        var (cron, rrule) = (recurs ? null : rule, recurs ? rule : null);
        return (
            await fixture.Post(
                fixture.Client, "/v1/schedules",
                new { name = $"s-{Guid.NewGuid():n}", cron, rrule, timeZone = zone, misfire, run = fixture.Apply("10.9.0.0/16") }))["id"]!
            .GetValue<string>();
    }

    private static async Task<string> Window(RunFixture fixture, string zone, Random random) =>
        (await fixture.Post(fixture.Client, "/v1/windows", new
        {
            name = $"w-{Guid.NewGuid():n}", kind = random.Next(2) == 0 ? "deny" : "allow", cron = Cron(random),
            duration = $"PT{random.Next(1, 30)}H", timeZone = zone,
        }))["id"]!.GetValue<string>();

    /// <summary>Within a day before the zone's clocks change, or before a leap day.</summary>
    private static DateTimeOffset BeforeClockChange(string zone, Random random)
    {
        var info = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var at = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero).AddHours(random.Next(8 * 8766));
        for (var hours = 0; hours < 8766 && info.SupportsDaylightSavingTime && random.Next(10) > 0; hours++, at = at.AddHours(1))
        {
            if (info.GetUtcOffset(at) != info.GetUtcOffset(at.AddHours(1)))
            {
                return at.AddMinutes(-random.Next(24 * 60));
            }
        }

        return new DateTimeOffset(2028 + (4 * random.Next(2)), 2, 28, 0, 0, 0, TimeSpan.Zero).AddMinutes(random.Next(24 * 60));
    }

    private static string Cron(Random random)
    {
        var minute = random.GetItems(["0", "30", "15,45", "*/20", $"{random.Next(60)}"], 1)[0];
        var hour = random.GetItems(["*", "*/2", "0", "1", "2", "0-3", $"{random.Next(24)}"], 1)[0];
        return $"{minute} {hour} {random.GetItems(["* * *", "* * *", "29 * *", "29 2 *", "* * 0", "1-7 * SUN"], 1)[0]}";
    }

    private static string Rrule(Random random) =>
        random.GetItems(
            ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY;BYDAY=SU,MO", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=MONTHLY;BYMONTHDAY=29,-1",
                Yearly.Split(";BYHOUR")[0]], 1)[0]
        + random.GetItems([";BYHOUR=0,1,2,3;BYMINUTE=0,30", ";BYHOUR=2;BYMINUTE=30", ";BYHOUR=0;BYMINUTE=0", ""], 1)[0];
}
