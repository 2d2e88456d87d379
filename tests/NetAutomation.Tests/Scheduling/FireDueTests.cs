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
        await using var ground = await ScheduleGround.Start(postgres);
        var schedule = await ground.Due();
        await ground.Host.Fire();
        await ground.Host.Fire();
        var run = (await RunGround.Get(ground.Client, $"/v1/runs?scheduleId={schedule}"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        run["scheduleId"]!.GetValue<string>().ShouldBe(schedule.ToString());
        run["state"]!.GetValue<string>().ShouldBe("queued");
        DateTimeOffset.Parse(run["occurrence"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture).Second.ShouldBe(0);
        (await ground.Occurrences(schedule)).ShouldBe(["started"]);
        (await ground.Claim())!.Id.ToString().ShouldBe(run["id"]!.GetValue<string>());
    }

    [Fact]
    public async Task Many_schedulers_at_once_start_one_run()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        await ground.Due();
        await ground.Due();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(ground.Host.Fire)));
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(2);
        (await ground.Scalar<long>("select count(distinct schedule_id) from runs.run")).ShouldBe(2);
    }

    [Fact]
    public async Task A_scheduler_that_dies_between_note_and_start_loses_and_doubles_nothing()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var schedule = await ground.Due();
        await using (var scope = ground.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<NoteOccurrences>().Handle(ground.Tenant.Id, schedule, default);
        }

        (await ground.Occurrences(schedule)).ShouldBe(["due"]);
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
        await ground.Host.Fire();
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    [Fact]
    public async Task An_occurrence_whose_row_forgot_its_run_starts_no_second_one()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var schedule = await ground.Due();
        await ground.Host.Fire();
        await ground.Work((await ground.Claim())!);
        await ground.Sql("update scheduling.occurrence set state = 'due', run_id = null");
        await ground.Host.Fire();
        (await ground.Occurrences(schedule)).ShouldBe(["started"]);
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
        (await ground.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(3);
    }

    [Theory]
    [InlineData("skip", 0)]
    [InlineData("once", 1)]
    public async Task Missed_occurrences_follow_the_misfire_policy(string misfire, int runs)
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var half = DateTimeOffset.UtcNow.AddMinutes(-30);
        var schedule = await ground.Schedule($"{half.Minute} * * * *", misfire);
        await ground.MissedSince(schedule, half.AddHours(-3).AddMinutes(-1));
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(runs);
        (await ground.Occurrences(schedule))
            .ShouldBe([runs == 1 ? "started" : "skipped misfire", "skipped misfire", "skipped misfire", "skipped misfire"]);
    }

    [Theory]
    [InlineData("skip")]
    [InlineData("queue")]
    public async Task An_occurrence_during_an_earlier_run_follows_the_overlap_policy(string overlap)
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var schedule = await ground.Due(overlap);
        await ground.Host.Fire();
        await ground.Sql(
            """
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state)
            select tenant_id, id, now(), 'due' from scheduling.schedule
            """);
        await ground.Host.Fire();
        (await ground.Occurrences(schedule)).ShouldBe([overlap == "skip" ? "skipped overlap" : "due", "started"]);
        await ground.Work((await ground.Claim())!);
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(overlap == "skip" ? 1 : 2);
    }

    [Fact]
    public async Task An_occurrence_that_cannot_start_says_why_and_holds_no_money()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var schedule = await ground.Due();
        await ground.Sql("update inventory.device set enabled = false");
        await ground.Host.Fire();
        (await ground.Occurrences(schedule)).ShouldBe(["refused validation_failed"]);
        (await ground.Scalar<long>("select count(*) from runs.quote")).ShouldBe(0);
        (await ground.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(0);
    }

    [Fact]
    public async Task A_suspended_tenants_schedule_starts_nothing()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        await ground.Due();
        await ground.Sql("update onboarding.tenant set state = 'suspended'");
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from scheduling.occurrence")).ShouldBe(0);
        await ground.Sql("update onboarding.tenant set state = 'active'");
        await ground.Host.Fire();
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    [Fact]
    public async Task Two_clustered_processes_fire_on_their_own_and_once()
    {
        var database = await postgres.Create();
        await using var ground = await RunGround.Start(database, 1, upkeep: true);
        await using var second = await ServiceHost.Start(database);
        await ground.Due();
        await Eventually.Holds(
            async () => await ground.Scalar<long>("select count(*) from runs.run") > 0
                && await ground.Scalar<long>("select count(*) from quartz.qrtz_scheduler_state") == 2,
            "a fired schedule and both schedulers");

        await Task.WhenAll(ground.Host.Fire(), second.Fire());
        (await ground.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
        (await ground.Scalar<long>("select count(*) - count(distinct job_name) from quartz.qrtz_triggers"))
            .ShouldBe(0, "each job has one trigger for all processes");
    }
}
