using NetAutomation.Catalog.Publish;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>Machines of each kind beside a router: they are reached by commands over SSH.</summary>
public sealed class MachineLab() : RouterLab(1, "--bird", "2", "--linux", "2", "--openvswitch", "1");

/// <summary>Real Ansible in a real sandbox against real machines with BIRD.</summary>
[Trait("Requires", "root-lab")]
public class MachineTests(MachineLab lab, SandboxFixture fixture) : IClassFixture<MachineLab>, IClassFixture<SandboxFixture>
{
    private const string Bird = "cat /etc/bird/bird.conf";

    private const string Routes =
        """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"},{"prefix":"10.8.1.7/24","nextHop":"10.66.0.1","interface":"eth0"}]}""";

    public static bool Possible => RouterLab.Possible && File.Exists("/usr/sbin/bird") && File.Exists("/usr/sbin/ovs-vswitchd")
        && File.Exists("/usr/sbin/nft");

    [Fact]
    public async Task Bird_takes_routes_once_and_shows_them()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");

        var before = await lab.Shell("b001", Bird);
        var check = await Run("static-routes", Routes, check: true, lab.Device("b001"));
        var untouched = await lab.Shell("b001", Bird);
        var apply = await Run("static-routes", Routes, check: false, lab.Device("b001"));
        var (after, table) = (await lab.Shell("b001", Bird), await lab.Shell("b001", "birdc show route"));
        var again = await Run("static-routes", Routes, check: false, lab.Device("b001"));
        await lab.Shell("b001", Undo(apply));

        check.Outcome.ShouldBe(DeviceOutcome.Changed, check.Message);
        check.Diff.ShouldContain("+  route 10.8.1.0/24 via 10.66.0.1%eth0");
        untouched.ShouldBe(before);
        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("effect");
        after.ShouldStartWith(before);
        table.ShouldContain("10.9.0.0/16");
        table.ShouldContain("10.8.1.0/24");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
        (await lab.Shell("b001", Bird)).ShouldBe(before);
        (await lab.Shell("b001", "birdc show route")).ShouldNotContain("10.9.0.0/16");
    }

    [Fact]
    public async Task Bird_takes_neighbours_with_hostile_words_and_gives_their_places_back()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Input =
            """{"asn":65001,"neighbors":[{"address":"10.66.0.9","remoteAs":65002,"description":"a; } # $(touch /tmp/x) `id` 'b' \\ %s"}]}""";

        var before = await lab.Shell("b002", Bird);
        var apply = await Run("bgp-neighbors", Input, check: false, lab.Device("b002"));
        var shown = await lab.Shell("b002", "birdc show protocols all | grep -A9 netautomation_");
        var again = await Run("bgp-neighbors", Input, check: false, lab.Device("b002"));
        var absent = await Run(
            "bgp-neighbors", Input.Replace("{\"asn", "{\"state\":\"absent\",\"asn"), check: false, lab.Device("b002"));

        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("effect");
        shown.ShouldContain("Description:    a; } # $(touch /tmp/x) `id` 'b' \\ %s\n");
        shown.ShouldContain("Neighbor AS:      65002");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
        absent.Outcome.ShouldBe(DeviceOutcome.Changed, absent.Message);
        (await lab.Shell("b002", Bird)).ShouldBe(before);
        (await lab.Shell("b002", "ls /tmp")).ShouldBe("");
    }

    [Fact]
    public async Task Bird_refuses_a_text_and_stays_as_it_was()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        var broken = fixture.Block("wanted: \"protocol static x { ipv4; bogus 1; }\"\n", "bird");

        var before = await lab.Shell("b002", Bird + "; ls -la --time-style=full-iso /etc/bird/bird.conf");
        var refused = await Run(broken, "{}", check: false, lab.Device("b002"));
        await lab.Shell("b002", "sleep 2.1; echo '# by hand' >> /etc/bird/bird.conf");
        var unread = await Run("static-routes", Routes, check: false, lab.Device("b002"));
        await lab.Shell("b002", "sed -i '$d' /etc/bird/bird.conf; birdc configure");

        (refused.Outcome, refused.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), refused.Message);
        refused.Message.ShouldNotBeNull().ShouldContain("syntax error");
        (unread.Outcome, unread.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), unread.Message);
        unread.Message.ShouldNotBeNull().ShouldContain("BIRD has not read the last change of its file");
        (await lab.Shell("b002", "ls -A /etc/bird")).ShouldBe("bird.conf\nenvvars\n");
        (await lab.Shell("b002", Bird)).ShouldBe(before[..before.LastIndexOf("-rw", StringComparison.Ordinal)]);
    }

    private static string Undo(SandboxDeviceResult result) =>
        string.Join('\n', result.Result!.Value.GetProperty("undo").EnumerateArray().Select(line => line.GetString())) + "\n";

    private async Task<SandboxDeviceResult> Run(string block, string input, bool check, SandboxDevice device)
    {
        var directory = Path.Combine(fixture.Content, block);
        var (result, events) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                "run_" + Guid.NewGuid().ToString("N")[..12], directory, fixture.Platforms, check, SandboxFixture.Json(input), [device],
                TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(1)),
            lab.Dial));
        result.Fault.ShouldBeNull(string.Join('\n', events));
        if (result.Devices[0].Result is { } given && File.Exists(Path.Combine(directory, "block.yaml")))
        {
            InputSchema.Read(BlockManifest.Read(ContentFolder.Read(directory)).Result!.Schema.GetRawText()).Faults(given).ShouldBeEmpty();
        }

        return result.Devices[0];
    }
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Trait("Requires", "root-lab")]
public sealed class StockMachineTests(MachineLab lab, StockSandboxFixture fixture)
    : MachineTests(lab, fixture), IClassFixture<StockSandboxFixture>;
