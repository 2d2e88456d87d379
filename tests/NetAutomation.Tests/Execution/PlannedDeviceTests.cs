using System.Security.Cryptography;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>Changes that were planned for one configuration of a device, on real FRR routers.</summary>
[Trait("Requires", "root-lab")]
public sealed class PlannedDeviceTests(RouterLab lab, SandboxFixture fixture) : IClassFixture<RouterLab>, IClassFixture<SandboxFixture>
{
    private const string Routes = """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1"}]}""";

    [Fact]
    public async Task Device_that_has_drifted_is_not_started_and_untouched_and_the_others_are_changed()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var (_, seen) = await fixture.Run(lab, "static-routes", Routes, check: true, lab.Device("r001"), lab.Device("r002"));
        var planned = seen.Select(each => each.Outcome).OfType<SandboxDeviceResult>().ToDictionary(
            device => device.Name,
            device => Convert.ToHexStringLower(SHA256.HashData(device.Texts.Single(text => text.Name == "before").Content)));
        await lab.Configure("r002", ["ip route 10.200.0.0/16 192.0.2.9"]);
        var drifted = await lab.RunningConfig("r002");

        var (result, events) = await fixture.Run(
            lab, "static-routes", Routes, check: false,
            lab.Device("r001") with { Planned = planned["r001"] }, lab.Device("r002") with { Planned = planned["r002"] });

        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, result.Devices[0].Message);
        (await lab.RunningConfig("r001")).ShouldContain("ip route 10.9.0.0/16 192.0.2.1");
        (result.Devices[1].Outcome, result.Devices[1].Code, result.Devices[1].Changed)
            .ShouldBe((DeviceOutcome.NotStarted, DeviceCode.Drift, false), string.Join('\n', events));
        (await lab.RunningConfig("r002")).ShouldBe(drifted);
    }

    [Fact]
    public async Task Block_that_only_says_that_a_device_has_drifted_fails_it()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var claims = fixture.Block("- ansible.builtin.fail:\n    msg: \"[netautomation:drift] no\"\n");

        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            fixture.Job("x", "{}", false, [lab.Device("r003")]) with { BlockDirectory = claims }, lab.Dial));

        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Failed);
    }
}
