using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Runs whose processes are killed or frozen, judged by the routers' journal.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class LostProcessTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_run_goes_on_through_another_replica_when_the_one_with_the_link_is_killed()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 3);
        await fleet.StartWorker("worker");
        fleet.Routers.Slow(("d01", 2));
        var body = fleet.Routes(["d01", "d02", "d03"], 1, 2, 3, 4);
        body["rollout"] = new System.Text.Json.Nodes.JsonObject { ["batchSize"] = 1 };
        var id = await fleet.StartRun(body);
        await fleet.Journal(journal => journal.Any(h => h.Kind == "line"), "the first line");

        fleet.Endpoint.Targets = [fleet.ConnectorPort("b")];
        fleet.Process("a").Kill();
        var run = await fleet.Ended(id);

        var (journal, devices) = (fleet.Routers.Journal(), await fleet.Devices(id));
        var story = $"{run}\n{string.Join('\n', devices.Values)}\n{fleet.Report()}";
        // For the interrupted device nobody knows how far the change got; its outcome says that, and nothing retries it automatically.
        (devices["d01"]["outcome"]!.GetValue<string>() is "failed" or "unknown").ShouldBeTrue(story);
        devices["d01"]["changed"].ShouldBeNull(story);
        journal.Where(h => h.Device == "d01").SkipWhile(h => h.Kind != "line").Where(h => h.Kind == "open").ShouldBeEmpty(story);
        foreach (var device in (string[])["d02", "d03"])
        {
            devices[device]["outcome"]!.GetValue<string>().ShouldBe("changed", story);
            journal.Where(h => h.Device == device && h.Kind == "line").Select(h => h.Text)
                .ShouldBe(((int[])[1, 2, 3, 4]).Select(ServiceFleet.Line), story);
        }

        ShouldHaveNoRepeatedLine(journal, story);
        fleet.Routers.Sessions().ShouldBeEmpty(story);
    }

    [Fact]
    public async Task A_worker_frozen_for_a_minute_writes_nothing_more_to_any_device()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 2);
        await fleet.StartWorker("frozen");
        fleet.Routers.Slow(("d01", 2), ("d02", 2));
        var id = await fleet.StartRun(fleet.Routes(["d01", "d02"], 1, 2, 3, 4, 5, 6, 7, 8));
        await fleet.Journal(
            journal => journal.Where(h => h.Kind == "line").Select(h => h.Device).Distinct().Count() == 2, "a line on both");

        fleet.Process("frozen").Signal(ServiceProcess.Freeze);
        var woken = DateTime.UtcNow.AddSeconds(60);
        var old = fleet.Routers.Journal().Select(h => h.Session).ToHashSet();
        await fleet.StartWorker("other");
        var run = await fleet.Ended(id);
        var asleep = fleet.Routers.Journal();
        await Eventually.Holds(() => DateTime.UtcNow >= woken, "a minute to pass");
        fleet.Process("frozen").Signal(ServiceProcess.Continue);

        // When the frozen worker executes another run, it is awake and has given up the old one.
        fleet.Process("other").Kill();
        fleet.Routers.Slow();
        var next = await fleet.Ended(await fleet.StartRun(fleet.Routes(["d01", "d02"], 20)));
        await Eventually.Holds(() => !fleet.Executes("frozen", id), "the woken worker to give up its run", fleet.Report);

        var journal = fleet.Routers.Journal();
        var story = $"{run}\n{next}\n{fleet.Report()}";
        journal.Skip(asleep.Count).Where(h => h.Kind == "line").Select(h => h.Text).Distinct().ShouldBe([ServiceFleet.Line(20)], story);
        journal.Skip(asleep.Count).Where(h => old.Contains(h.Session) && h.Kind != "close").ShouldBeEmpty(story);
        // The other worker checked the configuration first, so it did not repeat lines.
        run["state"]!.GetValue<string>().ShouldBe("succeeded", story);
        run["attempt"]!.GetValue<int>().ShouldBe(2, story);
        ShouldHaveNoRepeatedLine(journal, story);
        foreach (var device in (string[])["d01", "d02"])
        {
            journal.Where(h => h.Device == device && h.Kind == "line").Select(h => h.Text)
                .ShouldBe(((int[])[1, 2, 3, 4, 5, 6, 7, 8, 20]).Select(ServiceFleet.Line), story);
        }
    }

    /// <summary>No line was configured twice on a router.</summary>
    private static void ShouldHaveNoRepeatedLine(IReadOnlyList<JournalEntry> journal, string story) =>
        journal.Where(h => h.Kind == "line").GroupBy(h => (h.Device, h.Text)).Where(line => line.Count() > 1).Select(line => line.Key)
            .ShouldBeEmpty(story);
}
