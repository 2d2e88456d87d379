using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Plans with the real worker and engine, judged by the routers' journals.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class PlanFleetTests(PostgresServer postgres)
{
    [Fact]
    public async Task Router_that_was_changed_after_its_check_is_left_alone_for_nothing_and_the_others_are_changed()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 2);
        await fleet.StartWorker("worker");
        var plan = await Ready(fleet, fleet.Routes(["d01", "d02"], 9));
        var alone = await Ready(fleet, fleet.Routes(["d02"], 9));
        await fleet.Ended(await fleet.StartRun(fleet.Routes(["d02"], 7)));

        var run = await fleet.StartRun(new JsonObject { ["planId"] = plan });
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("d01:changed d02:not_started(drift)", fleet.Report());
        var devices = await fleet.Devices(run);
        (devices["d02"]["changed"]!.GetValue<bool>(), devices["d02"]["contacted"]!.GetValue<bool>()).ShouldBe((false, true));
        ended["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.150000");
        (await State(fleet, plan)).ShouldBe("used");
        var last = await fleet.StartRun(new JsonObject { ["planId"] = alone });
        (await fleet.Ended(last))["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        (await State(fleet, alone)).ShouldBe("drifted");
        fleet.Routers.Journal().Where(each => each.Kind == "line" && each.Text == ServiceFleet.Line(9)).Select(each => each.Device)
            .ShouldBe(["d01"], fleet.Report());

        // What the check saw before is what the apply saw, and stands in the receipt.
        var receipt = (await RunFixture.Get(fleet.Client, $"/v1/runs/{run}/devices/{fleet.DeviceId("d01")}"))["receipt"]!;
        var seen = (await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}/devices"))["items"]!.AsArray()
            .Single(device => $"{device!["name"]}" == "d01")!["before"]!.GetValue<string>();
        seen.ShouldStartWith("sha256:");
        receipt["beforeHash"]!.GetValue<string>().ShouldBe(seen);
        receipt["afterHash"]!.GetValue<string>().ShouldNotBe(seen);
    }

    /// <summary>A plan whose check has ended well.</summary>
    private static async Task<string> Ready(ServiceFleet fleet, JsonObject body)
    {
        var id = (await RunFixture.Post(fleet.Client, "/v1/plans", body, null, 202))["id"]!.GetValue<string>();
        await Eventually.Holds(async () => await State(fleet, id) == "ready", "the plan to be ready", fleet.Report);
        return id;
    }

    private static async Task<string> State(ServiceFleet fleet, string plan) =>
        (await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}"))["state"]!.GetValue<string>();
}
