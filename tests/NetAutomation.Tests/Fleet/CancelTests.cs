using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class CancelTests(PostgresServer postgres)
{
    private static readonly string[] _all = [.. Enumerable.Range(1, 10).Select(Routers.Name)];
    private static readonly string[] _slow = _all[5..];

    [Fact]
    public async Task A_cancelled_run_on_ten_devices_leaves_no_session_and_says_which_it_touched()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 10);
        await fleet.StartWorker("worker");

        // Five devices are done; on the other five the configuration is still being read, so they are untouched.
        fleet.Routers.Slow([.. _slow.Select(name => ($"{name} show", 8d))]);
        var body = fleet.Routes(_all, 1, 2);
        body["rollout"] = new JsonObject { ["batchSize"] = 5 };
        var id = await fleet.StartRun(body);
        await fleet.Journal(
            journal => _slow.All(name => journal.Any(h => h.Device == name && h.Kind == "open")), "sessions on the slow ones");
        var run = await Cancelled(fleet, id);
        var story = $"{run}\n{await fleet.Outcomes(id)}\n{await fleet.Client.GetStringAsync($"/v1/runs/{id}/events")}\n{fleet.Report()}";
        run["state"]!.GetValue<string>().ShouldBe("cancelled", story);
        var devices = await fleet.Devices(id);
        foreach (var name in _all)
        {
            var slow = _slow.Contains(name);
            (devices[name]["outcome"]!.GetValue<string>(), devices[name]["changed"]!.GetValue<bool>(),
                devices[name]["contacted"]!.GetValue<bool>())
                .ShouldBe((slow ? "not_started" : "changed", !slow, true), story);
            fleet.Routers.Journal().Count(h => h.Device == name && h.Kind == "line").ShouldBe(slow ? 0 : 2, story);
        }

        // Now the devices hang halfway through their configuration: an interrupted device is reported neither as done nor as untouched.
        fleet.Routers.Slow([.. _slow.Select(name => (name, 600d))]);
        id = await fleet.StartRun(fleet.Routes(_slow, 3, 4));
        await fleet.Journal(
            journal => _slow.All(name => journal.Any(h => h.Device == name && h.Text == ServiceFleet.Line(3))),
            "the first line on the slow ones");
        run = await Cancelled(fleet, id);
        story = $"{run}\n{await fleet.Outcomes(id)}\n{fleet.Report()}";
        run["state"]!.GetValue<string>().ShouldBe("unknown", story);
        devices = await fleet.Devices(id);
        foreach (var name in _slow)
        {
            // On a slow machine Ansible's own time limit for a command ends before the run is killed.
            (devices[name]["outcome"]!.GetValue<string>() is "unknown" or "failed").ShouldBeTrue(story);
            devices[name]["changed"].ShouldBeNull(story);
        }
    }

    /// <summary>Cancels the run and checks that every session is closed within ten seconds of its end.</summary>
    private static async Task<JsonNode> Cancelled(ServiceFleet fleet, string id)
    {
        (await fleet.Client.Call("POST", $"/v1/runs/{id}:cancel", new { })).Must(System.Net.HttpStatusCode.Accepted);
        var run = await fleet.Ended(id);
        await Eventually.Holds(
            () => fleet.Routers.Sessions().Count == 0, "the end of all sessions",
            () => $"{string.Join(' ', fleet.Routers.Sessions())} {fleet.Report()}", TimeSpan.FromSeconds(10));
        return run;
    }
}
