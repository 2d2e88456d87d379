using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs.Windows;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Tests.Scheduling;

/// <summary>A tenant whose calendars cost, beside one whose answers and runs stay as they are.</summary>
public sealed class CostlyCalendarTests(CostlyCalendars shared) : IClassFixture<CostlyCalendars>
{
    private RunFixture Fixture => shared.Fixture;

    [Fact]
    public async Task A_rule_that_costs_too_much_makes_no_schedule_and_no_window()
    {
        var tenant = await shared.CreateTenant();
        var (schedule, window) =
            (await shared.Schedule(tenant.Client), await shared.Window(tenant.Client, "deny", "0 1 * * *", "PT1H"));
        foreach (var rrule in new[] { CostlyRuleTests.Costliest, CostlyRuleTests.Dense })
        {
            Answer[] refused =
            [
                await tenant.Client.Call(
                    "POST", "/v1/windows", new { name = "w", kind = "deny", rrule, duration = "PT1H", timeZone = "UTC" }),
                await tenant.Client.Call(
                    "POST", "/v1/schedules", new { name = "s", rrule, timeZone = "UTC", run = Fixture.Apply("10.9.0.0/16") }),
                await tenant.Client.Call("PATCH", $"/v1/windows/{window}", new { rrule }, "*"),
                await tenant.Client.Call("PATCH", $"/v1/schedules/{schedule}", new { rrule }, "*"),
            ];
            foreach (var answer in refused)
            {
                answer.Must(HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("too_costly");
                answer.Faults.ShouldBe(["/rrule too_costly"]);
                answer.Json.GetProperty("limit").GetString().ShouldBe("rule_steps");
                answer.Json.GetProperty("max").GetInt32().ShouldBe(Evaluations.RuleSteps);
            }
        }
    }

    [Fact]
    public async Task A_tenant_with_costly_windows_gets_bounded_answers_and_another_gets_its_own()
    {
        var tenant = await shared.CreateTenant();
        var mine = await shared.Schedule(Fixture.Client);
        var alone = (await RunFixture.Get(Fixture.Client, $"/v1/schedules/{mine}/preview?n=20"))["items"]!.ToJsonString();
        var schedule = await shared.Schedule(tenant.Client);
        foreach (var cron in new[] { "* * * * *", "*/2 * * * *", "1-59/2 * * * *" })
        {
            await shared.Window(tenant.Client, "deny", cron, "PT1M");
        }

        // Every minute is denied: the answer says so, and that no end is in sight.
        var upcoming = (await RunFixture.Get(tenant.Client, $"/v1/schedules/{schedule}/preview?n=10"))["items"]!.AsArray();
        upcoming.ShouldAllBe(at => at!["blocked"]!["code"]!.GetValue<string>() == "window" && at["blocked"]!["eligibleAt"] == null);

        var window = await shared.Window(tenant.Client, "allow", "0 1 * * *", "PT1H");
        await shared.MakeCostly("runs.maintenance_window", WindowId.Parse(window).Value, ", known_until = '-infinity'");
        var before = shared.Steps;
        var attack = Enumerable.Range(0, 8)
            .Select(_ => tenant.Client.Call("GET", $"/v1/schedules/{schedule}/preview?n=100")).ToList();
        for (var i = 0; i < 5; i++)
        {
            (await RunFixture.Get(Fixture.Client, $"/v1/schedules/{mine}/preview?n=20"))["items"]!.ToJsonString().ShouldBe(alone);
        }

        foreach (var answer in await Task.WhenAll(attack))
        {
            answer.Must(HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("too_costly");
            (answer.Json.GetProperty("limit").GetString(), answer.Json.GetProperty("max").GetInt32())
                .ShouldBe(("request_steps", Evaluations.RequestSteps));
        }

        // Beside it, there are five previews of an hourly schedule.
        (shared.Steps - before).ShouldBeLessThan((8 * (Evaluations.RequestSteps + 10_000)) + 50_000);
    }

    [Fact]
    public async Task A_preview_has_one_budget_for_its_occurrences_and_the_windows_that_keep_them()
    {
        // For the first time of a month, all its times are made.
        var firsts = $"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=1;BYHOUR={string.Join(',', Enumerable.Range(0, 24))};BYMINUTE=";
        var tenant = await shared.CreateTenant();
        var schedule = await Fixture.Post(
            tenant.Client, "/v1/schedules",
            new { name = "firsts", rrule = $"{firsts}0,30", timeZone = "UTC", run = Fixture.Apply("10.9.0.0/16") });
        var path = $"/v1/schedules/{schedule["id"]!.GetValue<string>()}/preview?n=";
        (await Steps("100")).ShouldBeInRange(140_000, 160_000);
        await Fixture.Post(
            tenant.Client, "/v1/windows", new { name = "w", kind = "deny", rrule = $"{firsts}45", duration = "PT5M", timeZone = "UTC" });
        // As much again, for the starts of the window around each of them.
        (await Steps("60")).ShouldBeInRange(160_000, 200_000);
        var refused = (await tenant.Client.Call("GET", $"{path}100")).Must(HttpStatusCode.UnprocessableEntity);
        refused.Json.GetProperty("limit").GetString().ShouldBe("request_steps");

        async Task<long> Steps(string n)
        {
            var before = shared.Steps;
            (await RunFixture.Get(tenant.Client, path + n))["items"]!.AsArray().Count.ShouldBe(int.Parse(n, null));
            return shared.Steps - before;
        }
    }

    [Fact]
    public async Task Why_tells_the_gates_of_a_run_though_their_end_costs_too_much_to_find()
    {
        var tenant = await shared.CreateTenant();
        var window = await shared.Window(tenant.Client, "deny", ScheduleFixture.Minute(DateTimeOffset.UtcNow.AddMinutes(-5)), "PT2H");
        var run = await Fixture.StartRun(client: tenant.Client);
        await shared.MakeCostly("runs.maintenance_window", WindowId.Parse(window).Value, ", known_until = now() + interval '1 hour'");
        var gates = (await RunFixture.Get(tenant.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray();
        gates.Select(gate => gate!["code"]!.GetValue<string>()).ShouldBe(["window", "window"]);
        gates.ShouldAllBe(gate => gate!["eligibleAt"] == null
            && gate["detail"]!.GetValue<string>().Contains("more than 250,000 steps", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_schedule_that_costs_too_much_is_put_aside_and_the_others_fire()
    {
        var tenant = await shared.CreateTenant();
        var schedule = ScheduleId.Parse(await shared.Schedule(tenant.Client));
        await shared.MakeCostly("scheduling.schedule", schedule.Value, ", next_at = now() - interval '1 hour'");
        var mine = await Fixture.CreateDueSchedule();
        await Fixture.Host.Fire();
        await Fixture.Host.Fire();
        (await Fixture.Occurrences(mine)).ShouldBe(["started"]);
        var occurrence = (await RunFixture.Get(tenant.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray()
            .ShouldHaveSingleItem()!;
        occurrence["state"]!.GetValue<string>().ShouldBe("skipped");
        occurrence["blocked"]!["code"]!.GetValue<string>().ShouldBe("too_costly");
        (await RunFixture.Get(tenant.Client, $"/v1/schedules/{schedule}"))["nextAt"].ShouldBeNull();
        (await RunFixture.Get(tenant.Client, "/v1/audit"))["items"]!.AsArray()
            .Count(entry => entry!["action"]!.GetValue<string>() == "schedule.put_aside").ShouldBe(1);

        // A rule that costs less arms it again.
        var changed = await tenant.Client.Call("PATCH", $"/v1/schedules/{schedule}", new { cron = "0 * * * *" }, "*");
        changed.Must(HttpStatusCode.OK).Json.GetProperty("nextAt").GetString().ShouldNotBeNull();
    }

    [Fact]
    public async Task A_window_that_costs_too_much_is_put_aside_and_the_others_are_refreshed()
    {
        var tenant = await shared.CreateTenant();
        var costly = WindowId.Parse(await shared.Window(tenant.Client, "deny", "0 1 * * *", "PT1H"));
        var other = WindowId.Parse(await shared.Window(tenant.Client, "deny", "*/2 * * * *", "PT1M"));
        const string Forgotten = "known_until = '-infinity', extend_at = '-infinity'";
        await shared.MakeCostly("runs.maintenance_window", costly.Value, $", {Forgotten}");
        await Fixture.Sql($"update runs.maintenance_window set {Forgotten} where id = $1", other.Value);
        await using (var scope = Fixture.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<RefreshWindows>().Sweep(default);
        }

        (await Fixture.Scalar<bool>(
            $"select known_until > now() + interval '16 hours' from runs.maintenance_window where id = '{other.Value}'")).ShouldBeTrue();
        (await Fixture.Scalar<long>($"select count(*) from runs.window_interval where window_id = '{other.Value}'")).ShouldBe(500);
        (await Fixture.Scalar<bool>(
            $"""
            select known_until = '-infinity' and extend_at > now() + interval '50 minutes' from runs.maintenance_window
            where id = '{costly.Value}'
            """)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_caller_that_leaves_ends_what_is_computed_for_it()
    {
        var tenant = await shared.CreateTenant();
        var schedule = ScheduleId.Parse(await shared.Schedule(tenant.Client));
        await shared.MakeCostly("scheduling.schedule", schedule.Value);
        using var leaves = new CancellationTokenSource();
        var (steps, abandoned) = (shared.Steps, shared.Abandoned);
        shared.ForgetLeavers();
        // In the midst of the computation, which goes on only when the server knows that its caller has left.
        shared.OnSteps = () =>
        {
            leaves.Cancel();
            shared.LeaverIsNoticed().ShouldBeTrue();
        };
        try
        {
            await Should.ThrowAsync<OperationCanceledException>(
                tenant.Client.GetAsync(new Uri($"/v1/schedules/{schedule}/preview?n=100", UriKind.Relative), leaves.Token));
            await Eventually.Holds(() => shared.Abandoned == abandoned + 1);
        }
        finally
        {
            shared.OnSteps = null;
        }

        (shared.Steps - steps).ShouldBeLessThan(2048);
    }

    [Fact]
    public async Task A_caller_that_leaves_ends_the_statement_that_it_waits_for()
    {
        var tenant = await shared.CreateTenant();
        await using var source = Npgsql.NpgsqlDataSource.Create(Fixture.Database.Owner);
        await using var locking = await source.OpenConnectionAsync();
        await using var transaction = await locking.BeginTransactionAsync();
        await using (var command = new Npgsql.NpgsqlCommand("lock table scheduling.occurrence in access exclusive mode", locking))
        {
            await command.ExecuteNonQueryAsync();
        }

        using var leaves = new CancellationTokenSource();
        var schedule = await shared.Schedule(tenant.Client);
        var call = tenant.Client.GetAsync(new Uri($"/v1/schedules/{schedule}/occurrences", UriKind.Relative), leaves.Token);
        async Task<bool> Waits() => await Fixture.Scalar<bool>(
            """
            select exists (select from pg_stat_activity
                           where datname = current_database() and usename = 'na_app' and wait_event_type = 'Lock')
            """);
        await Eventually.Holds(Waits);
        await leaves.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(call);
        // The lock alone would be waited for during ten seconds.
        await Eventually.Holds(async () => !await Waits(), within: TimeSpan.FromSeconds(8));
    }
}
