using System.Security.Cryptography;
using System.Text;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>What a router says is read whole, whatever it looks like.</summary>
public partial class RealRouterTests
{
    private const string NoRoutes = """{"state":"absent","routes":[{"prefix":"10.99.0.0/16","nextHop":"192.0.2.1"}]}""";

    [Fact]
    public async Task Words_of_an_error_in_a_configuration_fail_nothing()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Configure("r003",
        [
            "interface eth0", "description uplink, circuit id not found", "exit", "route-map invalid-input permit 10",
            "description % Unknown command: x", "exit", "ip prefix-list bgpd description bgpd is not running",
        ]);

        var (backup, _) = await Run("config-backup", "{}", check: false, lab.Device("r003"));
        var (routes, _) = await Run("static-routes", NoRoutes, check: false, lab.Device("r003"));

        backup.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, backup.Devices[0].Message);
        Text(backup).ShouldContain("description uplink, circuit id not found\n");
        Text(backup).ShouldContain("description bgpd is not running\n");
        routes.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, routes.Devices[0].Message);
        await lab.Configure(
            "r003", ["interface eth0", "no description", "exit", "no route-map invalid-input", "no ip prefix-list bgpd description"]);
    }

    [Fact]
    public async Task A_refused_line_is_told_with_the_routers_words_and_nothing_of_its_configuration()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Configure(
            "r003", ["router bgp 65003", "neighbor 10.66.0.77 remote-as 65077", "neighbor 10.66.0.77 password kept-by-the-router"]);
        var broken = fixture.Block("wanted: \"ip bogus 1.2.3.4\"\n");

        var (result, events) = await SandboxFixture.Finish(
            fixture.Launcher.Start(Job("x", "{}", false, [lab.Device("r003")]) with { BlockDirectory = broken }, lab.Dial));

        (result.Devices[0].Outcome, result.Devices[0].Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed));
        result.Devices[0].Message.ShouldBe("ip bogus 1.2.3.4: % Unknown command: ip bogus 1.2.3.4");
        string.Join('\n', events).ShouldNotContain("kept-by-the-router");
        await lab.Configure("r003", ["no router bgp 65003"]);
    }

    [Fact]
    public async Task A_pause_behind_what_looks_like_a_prompt_cuts_no_backup()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Configure("r003", ["interface eth0", "description Zurich core#"]);
        var pausing = $"ForceCommand {lab.Program("pause.py")} core# 0.4 /usr/bin/vtysh";
        await lab.Reshape("r003", "ForceCommand /usr/bin/vtysh", pausing);

        var (result, _) = await Run("config-backup", "{}", check: false, lab.Device("r003"));

        await lab.Reshape("r003", pausing, "ForceCommand /usr/bin/vtysh");
        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, result.Devices[0].Message);
        Text(result).ShouldBe(await lab.RunningConfig("r003"));
        await lab.Configure("r003", ["interface eth0", "no description"]);
    }

    [Fact]
    public async Task Bytes_that_are_not_UTF8_come_through_in_backup_and_change_alike()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Configure("r003", Encoding.Latin1.GetBytes("interface eth0\n description Zürich\n"));

        var (backup, _) = await Run("config-backup", "{}", check: false, lab.Device("r003"));
        var (routes, _) = await Run("static-routes", NoRoutes, check: false, lab.Device("r003"));

        backup.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, backup.Devices[0].Message);
        var content = backup.Devices[0].Artifacts.Single().Content;
        Encoding.Latin1.GetString(content).ShouldContain(" description Zürich\n");
        backup.Devices[0].Result.ShouldNotBeNull().GetProperty("sha256").GetString()
            .ShouldBe(Convert.ToHexStringLower(SHA256.HashData(content)));
        routes.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, routes.Devices[0].Message);
        await lab.Configure("r003", ["interface eth0", "no description"]);
    }

    [Fact]
    public async Task A_pager_of_the_router_is_no_obstacle()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        await lab.Reshape("r003", "SetEnv VTYSH_PAGER=cat", "SetEnv VTYSH_PAGER=/bin/more");

        var (result, _) = await Run("config-backup", "{}", check: false, lab.Device("r003"));

        await lab.Reshape("r003", "SetEnv VTYSH_PAGER=/bin/more", "SetEnv VTYSH_PAGER=cat");
        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, result.Devices[0].Message);
        Text(result).ShouldBe(await lab.RunningConfig("r003"));
    }

    private static string Text(SandboxResult result) =>
        Encoding.UTF8.GetString(result.Devices[0].Artifacts.Single().Content);
}
