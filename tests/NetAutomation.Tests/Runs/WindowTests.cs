using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs.Windows;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class WindowTests(PostgresServer postgres)
{
    private static readonly DateTimeOffset _started = Minute(DateTimeOffset.UtcNow.AddMinutes(-5));

    [Fact]
    public async Task A_run_in_a_deny_window_stays_queued_and_why_says_until_when()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 2);
        var window = await Open(fixture, "freeze", "deny");
        var run = await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
        var gates = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray();
        gates.Select(gate => gate!["code"]!.GetValue<string>()).ShouldBe(["window", "window"]);
        Instant(gates[0]!["eligibleAt"]!).ShouldBe(_started.AddHours(2));

        (await fixture.Client.Call("DELETE", $"/v1/windows/{window.Id}", ifMatch: window.ETag)).Must(HttpStatusCode.NoContent);
        (await fixture.Claim())!.Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_run_outside_every_allow_window_waits_for_one()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 1);
        var opens = Minute(DateTimeOffset.UtcNow.AddHours(3));
        var window = await Window(fixture, "night", "allow", opens);
        var run = await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
        Instant((await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]![0]!["eligibleAt"]!).ShouldBe(opens);
        var changed =
            (await fixture.Client.Call("PATCH", $"/v1/windows/{window.Id}", new { cron = ScheduleFixture.Minute(_started) }, window.ETag))
                .Must(HttpStatusCode.OK);
        changed.ETag.ShouldNotBe(window.ETag);
        (await fixture.Claim())!.Id.ShouldBe(run);
    }

    [Fact]
    public async Task Deny_is_stronger_than_allow()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 1);
        await Open(fixture, "night", "allow");
        await Open(fixture, "freeze", "deny");
        await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
    }

    [Fact]
    public async Task A_window_holds_for_the_devices_its_selector_selects_now()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 2);
        await Open(fixture, "edge freeze", "deny", "role=edge");
        object Routes(int device) =>
            new
            {
                block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { fixture.Devices[device].ToString() } },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }
            };
        var edge = await fixture.StartRun(Routes(0));
        var core = await fixture.StartRun(Routes(1));
        (await fixture.Claim())!.Id.ShouldBe(core);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Sql("update inventory.device set labels = '{\"role\":\"core\"}'");
        await using (var scope = fixture.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<RefreshWindows>().Sweep(default);
        }

        (await fixture.Claim())!.Id.ShouldBe(edge);
    }

    [Fact]
    public async Task A_deny_window_whose_times_are_not_known_denies_until_they_are()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 1);
        await Window(fixture, "later", "deny", Minute(DateTimeOffset.UtcNow.AddHours(3)));
        var run = await fixture.StartRun();
        await fixture.Sql("update runs.maintenance_window set known_until = now() - interval '1 minute', "
            + "extend_at = '-infinity'");
        (await fixture.Claim()).ShouldBeNull();
        await using (var scope = fixture.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<RefreshWindows>().Sweep(default);
        }

        (await fixture.Claim())!.Id.ShouldBe(run);
        (await fixture.Scalar<long>("select count(*) from runs.window_interval")).ShouldBe(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_claim_waits_exactly_for_the_gates_that_why_names(int seed)
    {
        var random = new Random(seed);
        var clock = new FixedClock();
        await using var fixture = await ScheduleFixture.Start(postgres, clock, 2);
        var (held, free) = (0, 0);
        for (var i = 0; i < 6; i++)
        {
            // Windows are stored two weeks ahead; in these weeks the clocks of Amsterdam and New York change.
            clock.Now = ScheduleFixture.Instant(random.Next(2) == 0 ? "2027-03-12T00:00Z" : "2027-10-26T00:00Z")
                .AddMinutes(random.Next(2 * 1440));
            var last = clock.Now.AddDays(13);
            var windows = new List<string>();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                var (minute, hour) = (random.GetItems(["0", "30"], 1)[0], random.GetItems(["*/6", "0", "2", "22"], 1)[0]);
                var cron = $"{minute} {hour} * * {random.GetItems(["*", "*", "SAT,SUN", "1-5"], 1)[0]}";
                windows.Add((await fixture.Post(fixture.Client, "/v1/windows", new
                {
                    name = $"w{i}-{n}", kind = random.Next(2) == 0 ? "deny" : "allow", cron, duration = $"PT{random.Next(1, 30)}H",
                    timeZone = random.GetItems(["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"], 1)[0],
                    selector = random.GetItems([null, "role=edge", "role=core"], 1)[0],
                }))["id"]!.GetValue<string>());
            }

            var run = await fixture.StartRun();
            for (var n = 0; n < 20; n++)
            {
                clock.Now = last.AddDays(-13 * random.NextDouble());
                var gates = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray();
                var closed = gates.Any(gate => gate!["code"]!.GetValue<string>() == "window");
                var story = $"seed {seed}, round {i}: {clock.Now:O} {gates.ToJsonString()}";
                (await Closed(fixture, run, clock.Now)).ShouldBe(closed, story);
                if (!closed)
                {
                    free++;
                }
                else if (ScheduleFixture.Instant(gates[0]!["eligibleAt"]) is { } opens && opens < last)
                {
                    held++;
                    (await Closed(fixture, run, opens)).ShouldBeFalse(story);
                    (await Closed(fixture, run, opens.AddSeconds(-1))).ShouldBeTrue(story);
                    (await Closed(fixture, run, clock.Now + ((opens - clock.Now) * random.NextDouble()))).ShouldBeTrue(story);
                }
            }

            (await fixture.Client.Call("POST", $"/v1/runs/{run}:cancel", new { })).Must(HttpStatusCode.Accepted);
            foreach (var window in windows)
            {
                (await fixture.Client.Call("DELETE", $"/v1/windows/{window}", ifMatch: "*")).Must(HttpStatusCode.NoContent);
            }
        }

        (held > 5 && free > 5).ShouldBeTrue($"{held} held, {free} free");
    }

    [Fact]
    public async Task A_window_that_makes_no_sense_is_refused_where_it_is_wrong()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 1);
        async Task<IReadOnlyList<string>> Try(
            string duration = "PT1H", string? selector = null, string? cron = "0 1 * * *", string? rrule = null) =>
            (await fixture.Client.Call(
                "POST", "/v1/windows", new { name = "w", kind = "deny", cron, rrule, duration, timeZone = "UTC", selector }))
                    .Must(HttpStatusCode.UnprocessableEntity).Faults;
        foreach (var duration in new[] { "1h", "PT0M", "P8D", "P1M", "PT", "P", "PT1H30", "-PT1H", "PT1S" })
        {
            (await Try(duration)).ShouldBe(["/duration duration"], duration);
        }

        (await Try(selector: "role in (")).ShouldBe(["/selector selector"]);
        (await Try(rrule: "FREQ=DAILY")).ShouldBe(["/rrule one_of"]);
        await Open(fixture, "w", "deny");
        (await fixture.Client.Call(
            "POST", "/v1/windows", new { name = "w", kind = "deny", cron = "0 1 * * *", duration = "PT1H", timeZone = "UTC" }))
                .Must(HttpStatusCode.Conflict).Problem.ShouldBe("window_name_taken");
    }

    /// <summary>Whether a claim at this instant would find the windows closed.</summary>
    private static Task<bool> Closed(RunFixture fixture, RunId run, DateTimeOffset at) =>
        fixture.Scalar<bool>($"select runs.outside_windows(tenant_id, id, '{at:O}') from runs.run where id = '{run.Value}'");

    private static Task<Answer> Open(RunFixture fixture, string name, string kind, string? selector = null) =>
        Window(fixture, name, kind, _started, selector);

    /// <summary>Creates a window of two hours from this minute on.</summary>
    private static async Task<Answer> Window(RunFixture fixture, string name, string kind, DateTimeOffset start, string? selector = null) =>
        (await fixture.Client.Call(
            "POST", "/v1/windows", new { name, kind, cron = ScheduleFixture.Minute(start), duration = "PT2H", timeZone = "UTC", selector }))
                .Must(HttpStatusCode.Created);

    private static DateTimeOffset Minute(DateTimeOffset at) => at.AddTicks(-(at.Ticks % TimeSpan.TicksPerMinute));

    private static DateTimeOffset Instant(System.Text.Json.Nodes.JsonNode node) =>
        DateTimeOffset.Parse(node.GetValue<string>(), CultureInfo.InvariantCulture);
}
