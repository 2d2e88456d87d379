using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Fleet;

/// <summary>Schedulers as processes, of which one leads.</summary>
[Collection("fleet")]
public sealed class LostSchedulerTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_scheduler_killed_while_it_starts_a_run_leaves_it_to_another_which_starts_it_once()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 0, scheduler: false);
        await fleet.AddDevice("d01", "10.66.0.2", 22, "SHA256:" + new string('A', 42) + "E");
        await using var database = NpgsqlDataSource.Create(fleet.Database.Owner);
        await fleet.StartService("first", "Roles:0=scheduler");

        // A start of a run now waits at the lock on its devices.
        await using var blocking = await database.OpenConnectionAsync();
        await using var blocked = await blocking.BeginTransactionAsync();
        await Sql(blocking, "lock table runs.run_device in exclusive mode");
        var schedule = (await RunFixture.Post(
            fleet.Client, "/v1/schedules",
            new
            {
                name = "every minute", cron = "* * * * *", timeZone = "UTC", misfire = "once", overlap = "queue",
                run = fleet.Routes(["d01"], 1)
            }, null, 201))["id"]!
            .GetValue<string>();
        await Eventually.Holds(
            async () => await Count(database, "pg_locks where not granted and relation = 'runs.run_device'::regclass") > 0,
            "a run to start", fleet.Report);
        fleet.Process("first").Kill();
        await fleet.Process("first").Ended(TimeSpan.FromMinutes(1));
        await fleet.StartService("second", "Roles:0=scheduler");
        await fleet.StartService("third", "Roles:0=scheduler");
        (await Runs(fleet, schedule)).ShouldBeEmpty();
        await blocked.CommitAsync();

        await Eventually.Holds(async () => (await Runs(fleet, schedule)).Count > 0, "another scheduler to take over", fleet.Report);
        var first = (await Runs(fleet, schedule)).ShouldHaveSingleItem();
        await RunFixture.Post(fleet.Client, $"/v1/runs/{await Id(fleet, schedule)}:cancel", new { }, null, 202);
        await Eventually.Holds(async () => (await Runs(fleet, schedule)).Count > 1, "the next occurrence", fleet.Report);
        var runs = await Runs(fleet, schedule);
        runs.ShouldBeUnique();
        runs.ShouldContain(first);
        (await Count(database, "scheduling.occurrence where state = 'started'")).ShouldBe(runs.Count, fleet.Report());
        (await Count(database, "runs.run")).ShouldBe(runs.Count, fleet.Report());
    }

    private static async Task<List<string>> Runs(ServiceFleet fleet, string schedule) =>
        [.. (await RunFixture.Get(fleet.Client, $"/v1/runs?scheduleId={schedule}"))["items"]!.AsArray()
            .Select(run => run!["occurrence"]!.GetValue<string>())];

    private static async Task<string> Id(ServiceFleet fleet, string schedule) =>
        (await RunFixture.Get(fleet.Client, $"/v1/runs?scheduleId={schedule}"))["items"]!.AsArray().Single()!["id"]!.GetValue<string>();

    private static async Task Sql(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<long> Count(NpgsqlDataSource database, string from)
    {
        await using var command = database.CreateCommand($"select count(*) from {from}");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
