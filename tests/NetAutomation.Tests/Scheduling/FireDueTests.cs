using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

public sealed class FireDueTests(PostgresServer postgres)
{
    [Fact]
    public async Task An_occurrence_starts_a_run_that_names_it()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.CreateDueSchedule();
        await fixture.Host.Fire();
        await fixture.Host.Fire();
        var run = (await RunFixture.Get(fixture.Client, $"/v1/runs?scheduleId={schedule}"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        run["scheduleId"]!.GetValue<string>().ShouldBe(schedule.ToString());
        run["state"]!.GetValue<string>().ShouldBe("queued");
        DateTimeOffset.Parse(run["occurrence"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture).Second.ShouldBe(0);
        (await fixture.Occurrences(schedule)).ShouldBe(["started"]);
        (await fixture.Claim())!.Id.ToString().ShouldBe(run["id"]!.GetValue<string>());
    }

    [Fact]
    public async Task Many_schedulers_at_once_start_one_run()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        await fixture.CreateDueSchedule();
        await fixture.CreateDueSchedule();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(fixture.Host.Fire)));
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(2);
        (await fixture.Scalar<long>("select count(distinct schedule_id) from runs.run")).ShouldBe(2);
    }

    [Fact]
    public async Task A_scheduler_that_dies_between_note_and_start_loses_and_doubles_nothing()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.CreateDueSchedule();
        await using (var scope = fixture.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<NoteOccurrences>().Handle(fixture.Tenant.Id, schedule, default);
        }

        (await fixture.Occurrences(schedule)).ShouldBe(["due"]);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
        await fixture.Host.Fire();
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    [Fact]
    public async Task An_occurrence_whose_row_forgot_its_run_starts_no_second_one()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.CreateDueSchedule();
        await fixture.Host.Fire();
        await fixture.Work((await fixture.Claim())!);
        await fixture.Sql("update scheduling.occurrence set state = 'due', run_id = null");
        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBe(["started"]);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(3);
    }

    [Theory]
    [InlineData("skip", 0)]
    [InlineData("once", 1)]
    public async Task Missed_occurrences_follow_the_misfire_policy(string misfire, int runs)
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var half = DateTimeOffset.UtcNow.AddMinutes(-30);
        var schedule = await fixture.Schedule($"{half.Minute} * * * *", misfire);
        await fixture.SetNextDue(schedule, half.AddHours(-3).AddMinutes(-1));
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(runs);
        (await fixture.Occurrences(schedule))
            .ShouldBe([runs == 1 ? "started" : "skipped misfire", "skipped misfire", "skipped misfire", "skipped misfire"]);
    }

    [Theory]
    [InlineData("skip")]
    [InlineData("queue")]
    public async Task An_occurrence_during_an_earlier_run_follows_the_overlap_policy(string overlap)
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.CreateDueSchedule(overlap);
        await fixture.Host.Fire();
        // An occurrence is named by its second: one of "now" would be the first one over again in the first second of a minute.
        await fixture.Sql(
            """
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state)
            select tenant_id, schedule_id, at + interval '1 minute', 'due' from scheduling.occurrence
            """);
        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBe([overlap == "skip" ? "skipped overlap" : "due", "started"]);
        await fixture.Work((await fixture.Claim())!);
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(overlap == "skip" ? 1 : 2);
    }

    [Fact]
    public async Task An_occurrence_that_cannot_start_says_why_and_holds_no_money()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.CreateDueSchedule();
        await fixture.Sql("update inventory.device set enabled = false");
        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBe(["refused validation_failed"]);
        (await fixture.Scalar<long>("select count(*) from runs.quote")).ShouldBe(0);
        (await fixture.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(0);
    }

    [Theory]
    [InlineData("disabled", "operator", "refused unauthorized")]
    [InlineData("active", "viewer", "refused role_insufficient")]
    [InlineData("active", "operator", "started")]
    public async Task Schedule_may_do_what_its_member_may_until_another_one_takes_it_over(string state, string role, string occurrence)
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var anna = await fixture.Client.NewMemberKey("admin");
        using var client = fixture.Host.Customer(fixture.Tenant.EndpointId, anna.Secret);
        var schedule = await fixture.CreateDueSchedule();
        (await client.Call("PATCH", $"/v1/schedules/{schedule}", new { name = "hers" }, "*")).Must(HttpStatusCode.OK)
            .Json.GetProperty("createdBy").GetString().ShouldBe(anna.Member);
        await fixture.SetNextDue(schedule, DateTimeOffset.UtcNow.AddMinutes(-2));
        (await fixture.Client.Call("PATCH", $"/v1/members/{anna.Member}", new { state, role }, "*")).Must(HttpStatusCode.OK);
        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBe([occurrence]);
        if (occurrence != "started")
        {
            (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
            (await fixture.Client.Call("PATCH", $"/v1/schedules/{schedule}", new { }, "*")).Must(HttpStatusCode.OK);
            await fixture.Sql("update scheduling.occurrence set state = 'due'");
            await fixture.Host.Fire();
            (await fixture.Occurrences(schedule)).ShouldBe(["started"]);
        }
    }

    [Fact]
    public async Task A_suspended_tenants_schedule_starts_nothing()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        await fixture.CreateDueSchedule();
        await fixture.Sql("update onboarding.tenant set state = 'suspended'");
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from scheduling.occurrence")).ShouldBe(0);
        await fixture.Sql("update onboarding.tenant set state = 'active'");
        await fixture.Host.Fire();
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    [Fact]
    public async Task The_first_schedule_of_a_tenant_comes_before_the_second_of_another()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var other = await OtherTenant(fixture, schedules: 30);
        // A pass leaves what takes longer than a tenant's share to the next one.
        await Eventually.Holds(async () =>
        {
            await fixture.Host.Fire();
            return await fixture.Scalar<long>("select count(*) from scheduling.occurrence where state = 'started'") == 31;
        });
        (await fixture.Scalar<long>(
            $"""
            select count(*) from scheduling.occurrence
            where found_at < (select found_at from scheduling.occurrence where tenant_id = '{other.Id.Value}')
            """)).ShouldBeLessThanOrEqualTo(1);
        (await fixture.Scalar<long>(
            $"""
            select count(*) from runs.run
            where created_at < (select created_at from runs.run where tenant_id = '{other.Id.Value}')
            """)).ShouldBeLessThanOrEqualTo(1);
    }

    [Fact]
    public async Task A_tenant_whose_schedules_take_long_has_a_share_of_each_pass()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var other = await OtherTenant(fixture, schedules: 6);
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        // By this clock every schedule takes a second.
        var due = ActivatorUtilities.CreateInstance<FireDue>(scope.ServiceProvider, new SecondsClock());
        foreach (var noted in new[] { 2, 4, 6 })
        {
            await due.Note(default);
            (await Count("scheduling.occurrence", fixture.Tenant.Id)).ShouldBe(noted);
            (await Count("scheduling.occurrence", other.Id)).ShouldBe(1);
        }

        foreach (var started in new[] { 2, 4, 6 })
        {
            await due.Start(default);
            (await Count("runs.run", fixture.Tenant.Id)).ShouldBe(started);
            (await Count("runs.run", other.Id)).ShouldBe(1);
        }

        Task<long> Count(string table, TenantId tenant) =>
            fixture.Scalar<long>($"select count(*) from {table} where tenant_id = '{tenant.Value}'");
    }

    [Fact]
    public async Task Two_processes_fire_on_their_own_and_once()
    {
        var database = await postgres.Create();
        await using var fixture = await RunFixture.Start(database, 1, upkeep: true);
        await using var second = await ServiceHost.Start(database);
        await fixture.CreateDueSchedule();
        await Eventually.Holds(async () => await fixture.Scalar<long>("select count(*) from runs.run") > 0);
        await Task.WhenAll(fixture.Host.Fire(), second.Fire());
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    /// <summary>Gives the fixture's tenant this number of due schedules, and another tenant one that became due after them.</summary>
    private static async Task<TestTenant> OtherTenant(RunFixture fixture, int schedules)
    {
        var first = await fixture.CreateDueSchedule();
        await fixture.Sql(
            """
            insert into scheduling.schedule
            select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'name', 'copy' || n))).*
            from scheduling.schedule s, generate_series(2, $2) n where s.id = $1
            """, first.Value, schedules);
        await fixture.Sql("update scheduling.schedule set next_at = next_at - interval '1 minute'");
        var other = await fixture.Host.CreateTenant();
        await fixture.AddDevices(other, 1);
        await fixture.Post(other.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        var now = DateTimeOffset.UtcNow;
        var created = await fixture.Post(
            other.Client, "/v1/schedules",
            new
            {
                name = "late", cron = ScheduleFixture.Minute(now), timeZone = "UTC",
                run = fixture.Apply("10.9.0.0/16"), misfire = "once",
            });
        await fixture.SetNextDue(ScheduleId.Parse(created["id"]!.GetValue<string>()), now.AddMinutes(-1));
        return other;
    }

    /// <summary>A second passes whenever somebody looks.</summary>
    private sealed class SecondsClock : TimeProvider
    {
        private long _now;

        public override long GetTimestamp() => Interlocked.Add(ref _now, TimestampFrequency);
    }
}
