using System.Text.Json;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>What each block does to a real router, and that it does it once.</summary>
[Trait("Requires", "root-lab")]
public sealed class BlocksOnRoutersTests(RouterLab lab, SandboxFixture fixture) : IClassFixture<RouterLab>, IClassFixture<SandboxFixture>
{
    /// <summary>A block, its input, a line that it brings on a real router, and the input that takes it away.</summary>
    [Theory]
    [InlineData(
        "syslog", """{"level":"informational","facility":"local7"}""", "log facility local7",
        """{"state":"absent","level":"errors","facility":"local0"}""", "config")]
    [InlineData(
        "syslog", """{"level":"debugging","facility":"daemon"}""", "log syslog",
        """{"state":"absent","level":"errors"}""", "config")]
    [InlineData(
        "interfaces", """{"interfaces":[{"interface":"lo","description":"to nobody","enabled":false}]}""", " shutdown",
        """{"interfaces":[{"interface":"lo","enabled":true}]}""", "effect")]
    [InlineData(
        "interfaces", """{"interfaces":[{"interface":"lo","description":"to all"}]}""", " description to all",
        """{"state":"absent","interfaces":[{"interface":"lo"}]}""", "effect")]
    [InlineData(
        "l3-interfaces", """{"interfaces":[{"interface":"lo","addresses":["10.99.0.1/32","10.99.1.1/24","2001:DB8:99::1/64"]}]}""",
        " ipv6 address 2001:db8:99::1/64",
        """{"state":"absent","interfaces":[{"interface":"lo","addresses":["10.99.0.1/32","10.99.1.1/24","2001:db8:99::1/64"]}]}""",
        "effect")]
    [InlineData(
        "prefix-lists",
        """
        {"prefixLists":[{"name":"IN","entries":[
          {"sequence":5,"action":"permit","prefix":"10.9.1.1/16","ge":17,"le":24},
          {"sequence":10,"action":"deny","prefix":"0.0.0.0/0","le":32},
          {"sequence":15,"action":"permit","prefix":"2001:DB8::/32","ge":48}]}]}
        """, "ip prefix-list IN seq 5 permit 10.9.0.0/16 ge 17 le 24", """{"state":"absent","prefixLists":[{"name":"IN"}]}""", "config")]
    [InlineData(
        "raw-lines",
        """
        {"changes":[{"lines":["route-map RM permit 10","ip nht resolve-via-default"]},
          {"section":["route-map RM permit 10"],"lines":["set metric 5"]}]}
        """,
        " set metric 5",
        """
        {"state":"absent","changes":[{"lines":["ip nht resolve-via-default"]},
          {"section":["route-map RM permit 10"],"lines":["set metric 5"]}]}
        """,
        "config")]
    public async Task A_block_of_lines_changes_once_and_takes_it_back(
        string block, string input, string line, string back, string verified)
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");

        var (check, _) = await fixture.Run(lab, block, input, check: true, lab.Device("r002"));
        var (apply, _) = await fixture.Run(lab, block, input, check: false, lab.Device("r002"));
        var configured = await lab.RunningConfig("r002");
        var (again, _) = await fixture.Run(lab, block, input, check: false, lab.Device("r002"));

        again.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, again.Devices[0].Message);
        again.Devices[0].Result!.Value.GetProperty("verified").GetString().ShouldBe(verified);
        check.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, check.Devices[0].Message);
        apply.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, apply.Devices[0].Message);
        configured.ShouldContain($"{line}\n");
        var (undone, _) = await fixture.Run(lab, block, back, check: false, lab.Device("r002"));
        undone.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, undone.Devices[0].Message);
        (await lab.RunningConfig("r002")).ShouldNotContain($"{line}\n");
    }

    [Fact]
    public async Task A_prefix_list_becomes_exactly_what_is_given_and_its_undo_brings_the_old_one_back()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Configure("r003",
        [
            "ip prefix-list P description kept", "ip prefix-list P seq 5 permit 10.9.0.0/16", "ip prefix-list P seq 10 permit 10.8.0.0/16",
            "ip prefix-list P seq 20 deny any",
        ]);
        var before = await lab.RunningConfig("r003");

        var (apply, _) = await fixture.Run(
            lab, "prefix-lists",
            """
            {"prefixLists":[{"name":"P","entries":[
              {"sequence":5,"action":"permit","prefix":"10.8.0.0/16"},{"sequence":10,"action":"permit","prefix":"10.9.0.0/16"},
              {"sequence":30,"action":"deny","prefix":"0.0.0.0/0","le":32}]}]}
            """, check: false, lab.Device("r003"));
        var after = await lab.RunningConfig("r003");
        var undo = apply.Devices[0].Result!.Value.GetProperty("undo");
        await lab.Configure("r003", undo.EnumerateArray().Select(line => line.GetString()!));
        var back = await lab.RunningConfig("r003");
        await lab.Configure("r003", ["no ip prefix-list P"]);

        apply.Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed, apply.Devices[0].Message);
        after.Split('\n').Where(line => line.StartsWith("ip prefix-list P ", StringComparison.Ordinal)).ShouldBe(
        [
            "ip prefix-list P description kept", "ip prefix-list P seq 5 permit 10.8.0.0/16", "ip prefix-list P seq 10 permit 10.9.0.0/16",
            "ip prefix-list P seq 30 deny 0.0.0.0/0 le 32",
        ]);
        back.ShouldBe(before);
    }

    [Fact]
    public async Task Blocks_that_read_tell_facts_version_state_and_compliance()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var device = lab.Device("r001");
        await lab.Configure("r001", ["router bgp 65001", "neighbor 10.66.0.9 remote-as 65009"]);

        var facts = await Result("device-facts", "{}");
        var wanted = await Result("software-version", """{"versions":["8.4.*","8.5"],"minimumVersion":"8.4.2"}""");
        var newer = await Result("software-version", """{"minimumVersion":"99"}""");
        var state = await Result("state-snapshot", "{}");
        var same = await Result("state-snapshot", $$"""{"baseline":[{{state}}]}""");
        var worse = await Result(
            "state-snapshot",
            """
            {"include":["neighbor"],"baseline":[{"hostname":"r001","entries":[
              {"kind":"neighbor","subject":"bgp 10.0.0.9 ipv4Unicast","value":"up"}]}]}
            """);
        var broken = await Result(
            "compliance", """{"rules":[{"name":"n","must":["hostname r001"],"mustNot":["frr version *"]}],"golden":["hostname r002"]}""");
        var (stranger, _) = await fixture.Run(
            lab, "state-snapshot", """{"baseline":[{"hostname":"other","entries":[{"kind":"routes","subject":"x","value":"1"}]}]}""",
            check: false, device);

        facts.GetProperty("hostname").GetString().ShouldBe("r001");
        facts.GetProperty("interfaces").EnumerateArray().Single(each => each.GetProperty("interface").GetString() == "eth0")
            .GetProperty("addresses")[0].GetString().ShouldBe("10.66.0.2/16");
        (wanted.GetProperty("passed").GetBoolean(), newer.GetProperty("passed").GetBoolean()).ShouldBe((true, false));
        state.GetProperty("entries").EnumerateArray().Select(entry => $"{entry.GetProperty("subject")} {entry.GetProperty("value")}")
            .Intersect(["eth0 up", "bgp 10.66.0.9 ipv4Unicast down", "ip connected 1"]).Count().ShouldBe(3, $"{state}");
        (same.GetProperty("passed").GetBoolean(), same.GetProperty("changed").GetInt32()).ShouldBe((true, 0));
        worse.GetProperty("passed").GetBoolean().ShouldBeFalse();
        worse.GetProperty("entries")[0].GetProperty("value").GetString().ShouldBe("gone");
        broken.GetProperty("passed").GetBoolean().ShouldBeFalse();
        broken.GetProperty("findings")[0].GetProperty("line").GetString().ShouldBe("frr version 8.4.4");
        stranger.Devices[0].Outcome.ShouldBe(DeviceOutcome.Failed);
        stranger.Devices[0].Message.ShouldNotBeNull().ShouldContain("no device of the host name r001");

        async Task<JsonElement> Result(string block, string input)
        {
            var (run, _) = await fixture.Run(lab, block, input, check: false, device);
            run.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, run.Devices[0].Message);
            return run.Devices[0].Result!.Value;
        }
    }
}
