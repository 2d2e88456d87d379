using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Four time limits, each with its own outcome.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class TimeLimitTests(PostgresServer postgres)
{
    [Fact]
    public async Task Each_wait_that_is_too_long_has_an_outcome_of_its_own()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 3);
        await fleet.AddDevice("silent", Routers.Address(250), fleet.Silent.Port, fleet.Routers.HostKey(1));

        var late = fleet.Routes(["d01"], 1);
        late["startBy"] = DateTimeOffset.UtcNow.AddSeconds(2).ToString("O");
        var queued = await fleet.Ended(await fleet.StartRun(late));
        (queued["state"]!.GetValue<string>(), queued["failure"]!["code"]!.GetValue<string>())
            .ShouldBe(("expired", "start_by_passed"), $"{queued}");

        // The devices hang in the middle of their configuration for longer than either limit.
        await fleet.StartWorker("worker", "Execution:IdleSeconds=25");
        fleet.Routers.Slow(("d02", 600), ("d03", 4));
        var hard = fleet.Routes(["d03"], [.. Enumerable.Range(1, 20)]);
        hard["timeoutSeconds"] = 60;
        var ids = new[] { fleet.Routes(["silent"], 1), fleet.Routes(["d02"], 1), hard }.Select(fleet.StartRun).ToArray();
        foreach (
            var (id, outcome) in ids.Zip(
                ["unreachable connect_timeout failed", "unknown idle_timeout unknown", "unknown hard_timeout unknown"]))
        {
            var run = await fleet.Ended(await id);
            var device = (await fleet.Devices(await id)).Values.Single();
            $"{device["outcome"]} {device["code"]} {run["state"]}".ShouldBe(outcome, $"{run} {device} {fleet.Report()}");
        }

        fleet.Routers.Sessions().ShouldBeEmpty(fleet.Report());
    }

    [Fact]
    public async Task A_window_that_closes_between_batches_leaves_the_rest_alone()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 3);
        await fleet.StartWorker("worker");
        fleet.Routers.Slow(("d01", 2));
        var body = fleet.Routes(["d01", "d02", "d03"], 1, 2, 3);
        body["rollout"] = new JsonObject { ["batchSize"] = 1 };
        var id = await fleet.StartRun(body);
        await fleet.Journal(journal => journal.Any(h => h.Kind == "line"), "the first line");
        var cron = DateTimeOffset.UtcNow.AddMinutes(-1).ToString("m H d M '*'", System.Globalization.CultureInfo.InvariantCulture);
        await RunFixture.Post(
            fleet.Client, "/v1/windows", new { name = "freeze", kind = "deny", cron, duration = "PT2H", timeZone = "UTC" }, null, 201);

        var run = await fleet.Ended(id);
        (await fleet.Outcomes(id))
            .ShouldBe("d01:changed d02:not_started(window_closed) d03:not_started(window_closed)", $"{run} {fleet.Report()}");
        run["state"]!.GetValue<string>().ShouldBe("failed", $"{run}");
        fleet.Routers.Journal().Select(h => h.Device).Distinct().ShouldBe(["d01"], fleet.Report());
    }
}
