using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Real Ansible in a real sandbox against real FRR routers.</summary>
[Trait("Requires", "root-lab")]
[Sampled(of: 2, share: 0)]
public partial class RealRouterTests(RouterLab lab, SandboxFixture fixture) : IClassFixture<RouterLab>, IClassFixture<SandboxFixture>
{
    private const string Routes =
        """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1"},{"prefix":"10.8.1.7/24","nextHop":"192.0.2.1","distance":20}]}""";

    [Fact]
    public async Task Static_routes_checked_applied_and_applied_again_change_once()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");

        var (check, _) = await Run("static-routes", Routes, check: true, lab.Device("r001"));
        var untouched = await lab.RunningConfig("r001");
        var (apply, events) = await Run("static-routes", Routes, check: false, lab.Device("r001"));
        var configured = await lab.RunningConfig("r001");
        var (again, _) = await Run("static-routes", Routes, check: false, lab.Device("r001"));
        var (absent, _) =
            await Run("static-routes", Routes.Replace("{\"routes", "{\"state\":\"absent\",\"routes"), check: false, lab.Device("r001"));

        check.Fault.ShouldBeNull();
        check.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, check.Devices[0].Message);
        check.Devices[0].Diff.ShouldContain("ip route 10.8.1.0/24 192.0.2.1 20");
        untouched.ShouldNotContain("ip route");
        apply.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, apply.Devices[0].Message);
        apply.Devices[0].Contacted.ShouldBeTrue();
        apply.Gone.ShouldBeTrue();
        configured.ShouldContain("ip route 10.9.0.0/16 192.0.2.1\n");
        configured.ShouldContain("ip route 10.8.1.0/24 192.0.2.1 20\n");
        events.Select(runEvent => runEvent.Type).Distinct().ShouldBe(["device_started", "task", "device_outcome"]);
        again.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, again.Devices[0].Message);
        again.Devices[0].Changed.ShouldBe(false);
        absent.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, absent.Devices[0].Message);
        (await lab.RunningConfig("r001")).ShouldNotContain("ip route");
    }

    [Fact]
    public async Task Bgp_neighbours_applied_twice_change_once_and_refuse_another_number()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        const string Input = """{"asn":65001,"neighbors":[{"address":"10.66.0.9","remoteAs":65002,"description":"to the other side"}]}""";

        var (apply, _) = await Run("bgp-neighbors", Input, check: false, lab.Device("r002"));
        var (again, _) = await Run("bgp-neighbors", Input, check: false, lab.Device("r002"));
        var (other, _) = await Run("bgp-neighbors", Input.Replace("65001", "65009"), check: false, lab.Device("r002"));

        apply.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, apply.Devices[0].Message);
        (await lab.RunningConfig("r002")).ShouldContain(" neighbor 10.66.0.9 description to the other side\n");
        again.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, again.Devices[0].Message);
        other.Devices[0].Outcome.ShouldBe(DeviceOutcome.Failed);
        (other.Devices[0].Code, other.Devices[0].Changed).ShouldBe((DeviceCode.Refused, false));
        other.Devices[0].Message.ShouldNotBeNull().ShouldContain("already runs BGP");
    }

    [Fact]
    public async Task A_backup_arrives_whole_while_other_devices_fail_each_in_its_own_way()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var wrongKey = "SHA256:" + Convert.ToBase64String(new byte[32]).TrimEnd('=');
        SandboxDevice[] devices =
        [
            lab.Device("r001"),
            lab.Device("r002", password: "wrong-password-1"),
            lab.Device("r003", hostKey: wrongKey),
            lab.Device("r003") with { Name = "dead" },
            lab.Device("r003") with { Name = "forbidden" },
        ];
        var run = fixture.Launcher.Start(Job("config-backup", "{}", check: false, devices), (name, cancel) => name switch
        {
            "dead" => Task.FromResult<Stream?>(null),
            "forbidden" =>
                throw new DialRefusedException(DeviceCode.NotAllowed, "The connector's allow-list does not permit this address."),
            _ => lab.Dial(name, cancel),
        });

        var (result, events) = await SandboxFixture.Finish(run);

        var by = result.Devices.ToDictionary(device => device.Name);
        by["r001"].Outcome.ShouldBe(DeviceOutcome.Ok, by["r001"].Message);
        by["r001"].Artifacts.Single().Name.ShouldBe("running-config.txt");
        System.Text.Encoding.UTF8.GetString(by["r001"].Artifacts.Single().Content).ShouldContain("hostname r001");
        (by["r002"].Outcome, by["r002"].Code, by["r002"].Changed).ShouldBe((DeviceOutcome.Failed, DeviceCode.AuthFailed, false));
        (by["r003"].Outcome, by["r003"].Code, by["r003"].Changed).ShouldBe((DeviceOutcome.Failed, DeviceCode.HostKeyMismatch, false));
        (by["dead"].Outcome, by["dead"].Code, by["dead"].Contacted).ShouldBe((DeviceOutcome.Unreachable, DeviceCode.ConnectTimeout, false));
        (by["forbidden"].Outcome, by["forbidden"].Code).ShouldBe((DeviceOutcome.Unreachable, DeviceCode.NotAllowed));
        events.Count(runEvent => runEvent.Type == "device_outcome").ShouldBe(5);
        result.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task A_refused_line_fails_the_device_and_leaves_it_usable()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var broken = fixture.Block("wanted: \"ip route 10.7.0.0/16 192.0.2.1\\nip bogus 1.2.3.4\"\n");

        var (result, events) = await SandboxFixture.Finish(fixture.Launcher.Start(
            Job("x", "{}", false, [lab.Device("r003")]) with { BlockDirectory = broken }, lab.Dial));
        var (repaired, _) =
            await Run(
                "static-routes",
                """{"routes":[{"prefix":"10.7.0.0/16","nextHop":"192.0.2.1"},{"prefix":"10.6.0.0/16","nextHop":"192.0.2.1"}]}""",
                check: false, lab.Device("r003"));

        (result.Devices[0].Outcome, result.Devices[0].Code, result.Devices[0].Changed)
            .ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed, null), string.Join('\n', events));
        result.Devices[0].Message.ShouldNotBeNull().ShouldContain("Unknown command");
        result.Fault.ShouldBeNull();
        // The line before the refused one stays, because FRR has no transactions; the next apply completes it.
        repaired.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, repaired.Devices[0].Message);
        repaired.Devices[0].Diff.ShouldBe("+ip route 10.6.0.0/16 192.0.2.1\n");
    }

    [Fact]
    public async Task A_session_that_ends_in_the_middle_fails_that_device_alone()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var ending = $"ForceCommand {lab.Program("pause.py")} frr end /usr/bin/vtysh";
        await lab.Reshape("r002", "ForceCommand /usr/bin/vtysh", ending);

        var (result, _) = await Run("static-routes", Routes, check: true, lab.Device("r001"), lab.Device("r002"));

        await lab.Reshape("r002", ending, "ForceCommand /usr/bin/vtysh");
        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, result.Devices[0].Message);
        result.Devices[1].Outcome.ShouldBe(DeviceOutcome.Failed, result.Devices[1].Message);
        result.Devices[1].Code.ShouldBe(DeviceCode.ConnectionClosed, result.Devices[1].Message);
    }

    [Fact]
    public async Task Probes_pin_a_key_or_hold_to_it_each_by_itself()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var device = lab.Device("r001");

        var probes = await fixture.Launcher.Probe(
            [
                device with { HostKeySha256 = null }, lab.Device("r002") with { HostKeySha256 = "SHA256:" + new string('A', 43) },
                lab.Device("r003", password: "wrong-password-1"), device with { Name = "dead" },
            ],
            (name, cancel) => name == "dead" ? Task.FromResult<Stream?>(null) : lab.Dial(name, cancel), TimeSpan.FromSeconds(20));

        probes.Select(probe => probe.Name).ShouldBe(["r001", "r002", "r003", "dead"]);
        var (first, wrong, refused, dead) = (probes[0], probes[1], probes[2], probes[3]);
        first.ShouldSatisfyAllConditions(
            () => first.Reachable.ShouldBeTrue(first.ToString()),
            () => first.Stage.ShouldBe("auth"),
            () => first.HostKeySha256.ShouldBe(device.HostKeySha256),
            () => first.RttMs.ShouldNotBeNull());
        (wrong.Reachable, wrong.Stage, wrong.Code).ShouldBe((false, "ssh", DeviceCode.HostKeyMismatch));
        (refused.Reachable, refused.Stage, refused.Code).ShouldBe((false, "auth", DeviceCode.AuthFailed));
        (dead.Reachable, dead.Stage, dead.Code).ShouldBe((false, "tcp", DeviceCode.ConnectTimeout));
    }

    private Task<(SandboxResult Result, List<SandboxEvent> Events)> Run(
        string block, string input, bool check, params SandboxDevice[] devices) => fixture.Run(lab, block, input, check, devices);

    private SandboxJob Job(string block, string input, bool check, SandboxDevice[] devices) => fixture.Job(block, input, check, devices);
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Trait("Requires", "root-lab")]
[Sampled(of: 2, share: 1)]
public sealed class StockRealRouterTests(RouterLab lab, StockSandboxFixture fixture)
    : RealRouterTests(lab, fixture), IClassFixture<StockSandboxFixture>;
