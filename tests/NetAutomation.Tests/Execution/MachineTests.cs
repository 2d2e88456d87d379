using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using NetAutomation.Catalog.Publish;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Machines of each kind beside a router: they are reached by commands over SSH.</summary>
public sealed class MachineLab() : RouterLab(1, "--frr", "1", "--bird", "2", "--linux", "2", "--openvswitch", "1");

/// <summary>Real Ansible in a real sandbox against real machines with BIRD.</summary>
[Trait("Requires", "root-lab")]
[Sampled(of: 2, share: 0)]
public class MachineTests(MachineLab lab, SandboxFixture fixture) : IClassFixture<MachineLab>, IClassFixture<SandboxFixture>
{
    private const string Bird = "cat /etc/bird/bird.conf";

    private const string Files =
        "hostname; nft list ruleset; cd /etc; cat hostname hosts resolv.conf motd network/interfaces nftables.conf; true";

    private const string Routes =
        """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"},{"prefix":"10.8.1.7/24","nextHop":"10.66.0.1","interface":"eth0"}]}""";

    private static readonly JsonSerializerOptions _plain =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

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
            """
            {"asn":65001,"neighbors":[{"address":"10.66.0.9","remoteAs":65002,
             "description":"a; } # $(touch /tmp/x) `id` 'b' \\ %s"}]}
            """;

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

    [Fact]
    public async Task Linux_takes_routes_once_and_its_kernel_has_them()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string State = "ls -la --time-style=+ /etc/network/* /etc/*.conf; ip route; ip -6 route; " + Files;

        var before = await lab.Shell("l001", State);
        var check = await Run("static-routes", Routes, check: true, lab.Device("l001"));
        var untouched = await lab.Shell("l001", State);
        var apply = await Run("static-routes", Routes, check: false, lab.Device("l001"));
        var file = await lab.Shell("l001", "/etc/network/if-up.d/netautomation; cat /etc/network/if-up.d/netautomation");
        var table = await lab.Shell("l001", "ip route");
        var again = await Run("static-routes", Routes, check: false, lab.Device("l001"));
        await lab.Shell("l001", "set -e\n" + Undo(apply));

        check.Outcome.ShouldBe(DeviceOutcome.Changed, check.Message);
        check.Diff.ShouldContain("+ ip route replace 10.8.1.0/24 via 10.66.0.1 dev eth0 proto static");
        untouched.ShouldBe(before);
        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("effect");
        file.ShouldBe("""
            #!/bin/sh
            ip route replace 10.9.0.0/16 via 10.66.0.1 proto static
            ip route replace 10.8.1.0/24 via 10.66.0.1 dev eth0 proto static

            """);
        table.ShouldContain("10.9.0.0/16 via 10.66.0.1 dev eth0 proto static");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
        (await lab.Shell("l001", State)).ShouldBe(before);
    }

    [Fact]
    public async Task Linux_takes_an_address_and_rules_into_its_files_and_into_its_kernel()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Kernel = "ip -o address show dev eth0 scope global; nft list ruleset; cat /etc/network/interfaces /etc/nftables.conf";
        var block = fixture.Block("""
            wanted: |
              file /etc/network/interfaces
               iface eth0 inet static
                   address 198.51.100.7/24
              file /etc/nftables.conf
               table inet guard {
                   chain input {
                       tcp dport 23 drop

            """, "linux");

        var before = await lab.Shell("l001", Kernel);
        var apply = await Run(block, "{}", check: false, lab.Device("l001"));
        var after = await lab.Shell("l001", Kernel);
        var again = await Run(block, "{}", check: false, lab.Device("l001"));
        await lab.Shell("l001", Undo(apply));

        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("config");
        after.ShouldContain("inet 198.51.100.7/24");
        after.ShouldContain("tcp dport 23 drop\n\t}\n}\n");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
        (await lab.Shell("l001", Kernel)).ShouldBe(before);
    }

    [Fact]
    public async Task Linux_with_a_way_that_somebody_else_made_stays_as_it_was()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string State = "ls -laR --time-style=full-iso /etc/network; ip route; " + Files;
        var block = fixture.Block("""
            wanted: |
              file /etc/hostname
               l901
              file /etc/nftables.conf
               table inet guard {
              file /etc/network/if-up.d/netautomation
               ip route replace 10.7.0.0/16 via 10.66.0.1 proto static
               ip route replace 10.8.1.0/24 via 10.66.0.1 proto static
            unwanted: |
              file /etc/hostname
               l002

            """, "linux");
        await lab.Shell("l002", "ip route add 10.8.1.0/24 via 10.66.0.3; nft add table inet by_hand");

        var before = await lab.Shell("l002", State);
        var refused = await Run("static-routes", Routes, check: false, lab.Device("l002"));
        // Its name and its rules are changed before the way is refused.
        var late = await Run(block, "{}", check: false, lab.Device("l002"));

        (refused.Outcome, refused.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), refused.Message);
        (late.Outcome, late.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), late.Message);
        late.Message.ShouldNotBeNull().ShouldContain("File exists");
        refused.Message.ShouldNotBeNull().ShouldContain("File exists");
        Times(await lab.Shell("l002", State)).ShouldBe(Times(before));
    }

    [Fact]
    public async Task Linux_takes_hostile_words_as_text_and_a_wrong_rule_not_at_all()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Hostile = "a 'b' \"c\" $(touch /tmp/x) `touch /tmp/y`; touch /tmp/z & \\ %s END";
        var words = fixture.Block("""
            wanted: |
              file /etc/motd
               {{ input.text }}
              end
              file /etc/hostname
               l900
            unwanted: |
              file /etc/hostname
               l002

            """, "linux");
        var rule = fixture.Block("""
            wanted: |
              file /etc/motd
               half of it
              end
              file /etc/nftables.conf
               table inet x { chain y { bogus } }

            """, "linux");
        var input = JsonSerializer.Serialize(new { text = Hostile });

        var before = await lab.Shell("l002", Files);
        var apply = await Run(words, input, check: false, lab.Device("l002"));
        var after = await lab.Shell("l002", "cat /etc/motd; hostname; ls -A /tmp");
        await lab.Shell("l002", Undo(apply));
        var refused = await Run(rule, "{}", check: false, lab.Device("l002"));

        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("config");
        after.ShouldBe($"{Hostile}\nl900\n");
        (refused.Outcome, refused.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), refused.Message);
        refused.Message.ShouldNotBeNull().ShouldContain("bogus");
        (await lab.Shell("l002", Files)).ShouldBe(before);
    }

    [Fact]
    public async Task Open_vswitch_takes_a_change_as_one_transaction_with_hostile_words_or_not_at_all()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Database =
            "for each in 'Bridge name other_config ports' 'Port name tag external_ids'; do ovsdb-client dump Open_vSwitch $each; done";
        const string Hostile = "a 'b' \"c\" $(touch /tmp/x) `touch /tmp/y`; touch /tmp/z & \\ %s -- del-br br0";
        var block = fixture.Block("""
            wanted: |
              bridge br0
               other_config:rstp-priority 4096
               port p1
                external_ids:text {{ input.text }}
                tag {{ input.tag }}
               port p9
                tag 9
                interface p9
                 type internal
            unwanted: |
              bridge br0
               port p3

            """, "openvswitch");
        static string Input(int tag) => JsonSerializer.Serialize(new { text = Hostile, tag });

        var before = await lab.Shell("o001", Database);
        var refused = await Run(block, Input(5000), check: false, lab.Device("o001"));
        var after = await lab.Shell("o001", Database);
        var check = await Run(block, Input(20), check: true, lab.Device("o001"));
        var untouched = await lab.Shell("o001", Database);
        var apply = await Run(block, Input(20), check: false, lab.Device("o001"));
        var shown = await lab.Shell("o001", "ovs-vsctl get Port p1 external_ids:text tag -- list-ports br0; ls -A /tmp");
        var again = await Run(block, Input(20), check: false, lab.Device("o001"));
        await lab.Shell("o001", Undo(apply));

        (refused.Outcome, refused.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), refused.Message);
        refused.Message.ShouldNotBeNull().ShouldContain("5000 is not in the valid range");
        after.ShouldBe(before);
        check.Outcome.ShouldBe(DeviceOutcome.Changed, check.Message);
        untouched.ShouldBe(before);
        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("effect");
        shown.ShouldBe($"{JsonSerializer.Serialize(Hostile, _plain)}\n20\np1\np2\np9\n");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
        Rows(await lab.Shell("o001", Database)).ShouldBe(Rows(before));
    }

    [Theory]
    [InlineData("o001", "bridge br0\n datapath_type netdev\n")]
    [InlineData("b001", "log syslog all;")]
    [InlineData("l001", "file /etc/hostname\n l001\n")]
    public async Task Backup_of_a_machine_is_its_text(string machine, string part)
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");

        var backup = await Run("config-backup", "{}", check: false, lab.Device(machine));

        backup.Outcome.ShouldBe(DeviceOutcome.Ok, backup.Message);
        System.Text.Encoding.UTF8.GetString(backup.Artifacts.Single().Content).ShouldContain(part);
        var told = backup.Texts.Single();
        told.Name.ShouldBe("before");
        System.Text.Encoding.UTF8.GetString(told.Content).ShouldContain(part);
    }

    [Fact]
    public async Task Login_that_is_not_root_uses_sudo_where_its_credential_says_so()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        var user = lab.Device("l001") with { Username = "netops" };

        var plain = await Run("config-backup", "{}", check: false, lab.Device("b001") with { Username = "netops" });
        var enabled = await Run("config-backup", "{}", check: false, user with { Enables = true });
        var apply = await Run("static-routes", Routes, check: false, user with { Enables = true });
        await lab.Shell("l001", Undo(apply));
        await lab.Shell("l001", "mv /etc/sudoers.d/netops /root");
        var forbidden = await Run("config-backup", "{}", check: false, user with { Enables = true });
        await lab.Shell("l001", "mv /root/netops /etc/sudoers.d");

        (plain.Outcome, plain.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed), plain.Message);
        plain.Message.ShouldNotBeNull().ShouldContain("Permission denied");
        enabled.Outcome.ShouldBe(DeviceOutcome.Ok, enabled.Message);
        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        (forbidden.Outcome, forbidden.Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.AuthFailed), forbidden.Message);
    }

    [Fact]
    public async Task Router_whose_login_lands_in_a_shell_is_configured_by_vtysh_where_its_options_say_so()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Running = "vtysh -c 'show running-config'";
        const string Input = """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}]}""";
        var router = lab.Device("f001");
        var told = router with { Options = new ConnectionOptions { Shell = true } };

        var before = await lab.Shell("f001", Running);
        var untold = await Run("static-routes", Input, check: false, router);
        var untouched = await lab.Shell("f001", Running);
        var apply = await Run("static-routes", Input, check: false, told);
        var after = await lab.Shell("f001", Running);
        var again = await Run("static-routes", Input, check: false, told with { Username = "netops", Enables = true });

        untold.Outcome.ShouldBe(DeviceOutcome.Failed, untold.Message);
        untouched.ShouldBe(before);
        apply.Outcome.ShouldBe(DeviceOutcome.Changed, apply.Message);
        apply.Result!.Value.GetProperty("verified").GetString().ShouldBe("effect");
        after.ShouldContain("ip route 10.9.0.0/16 10.66.0.1");
        again.Outcome.ShouldBe(DeviceOutcome.Ok, again.Message);
    }

    [Fact]
    public async Task Machines_that_cannot_be_reached_say_why()
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        var strange = "SHA256:" + Convert.ToBase64String(new byte[32]).TrimEnd('=');

        var password = await Run("config-backup", "{}", check: false, lab.Device("l001", password: "wrong-password-1"));
        var key = await Run("config-backup", "{}", check: false, lab.Device("l001", hostKey: strange));
        await lab.Shell("l002", "kill -STOP $(cat /run/sshd.pid)");
        var silent = await Run(
            "config-backup", "{}", check: false, lab.Device("l002") with { Options = new ConnectionOptions { ConnectSeconds = 5 } });
        await lab.Shell("l002", "kill -CONT $(cat /run/sshd.pid)");
        await lab.Shell("b002", "mv /etc/bird/bird.conf /root; mkfifo /etc/bird/bird.conf");
        var idle = await Run(
            "config-backup", "{}", check: false, lab.Device("b002") with { Options = new ConnectionOptions { CommandSeconds = 5 } });
        await lab.Shell("b002", "mv /root/bird.conf /etc/bird");
        var probes = await fixture.Launcher.Probe(
            [lab.Device("b001") with { HostKeySha256 = null }, lab.Device("l001", password: "wrong-password-1")], lab.Dial,
            TimeSpan.FromSeconds(20));

        password.Code.ShouldBe(DeviceCode.AuthFailed, password.Message);
        key.Code.ShouldBe(DeviceCode.HostKeyMismatch, key.Message);
        silent.Code.ShouldBe(DeviceCode.ConnectTimeout, silent.Message);
        idle.Code.ShouldBe(DeviceCode.IdleTimeout, idle.Message);
        probes.Select(probe => (probe.Reachable, probe.Code)).ShouldBe([(true, null), (false, DeviceCode.AuthFailed)]);
    }

    [Theory]
    [InlineData("r001", "bird")]
    [InlineData("r001", "linux")]
    [InlineData("r001", "openvswitch")]
    [InlineData("l001", "frr")]
    [InlineData("l001", "bird")]
    [InlineData("l001", "openvswitch")]
    [InlineData("b001", "frr")]
    public async Task Device_of_another_platform_than_its_record_says_is_left_alone(string machine, string platform)
    {
        Assert.SkipUnless(Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        var block = platform == "openvswitch" ? fixture.Block("wanted: \"open_vswitch\\n other_config:x 1\"\n", platform) : "static-routes";
        Task<string> State() =>
            machine == "r001" ? lab.RunningConfig(machine) : lab.Shell(machine, Files + "; ls -lR /etc /tmp /root; ip route");

        var before = await State();
        var result = await Run(block, Routes, check: false, lab.Device(machine) with { Platform = platform });

        (result.Outcome, result.Code, result.Changed).ShouldBe((DeviceOutcome.Failed, DeviceCode.PlatformMismatch, false), result.Message);
        result.Message.ShouldNotBeNull().ShouldContain("is not what its record says");
        (await State()).ShouldBe(before);
    }

    /// <summary>A dump of tables without the keys of its rows.</summary>
    private static string Rows(string dump) => Regex.Replace(
        dump, "[0-9a-f-]{36}", "", RegexOptions.NonBacktracking);

    /// <summary>A listing without its times.</summary>
    private static string Times(string listing) => Regex.Replace(
        listing, @"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000", "", RegexOptions.NonBacktracking);

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
[Sampled(of: 2, share: 1)]
public sealed class StockMachineTests(MachineLab lab, StockSandboxFixture fixture)
    : MachineTests(lab, fixture), IClassFixture<StockSandboxFixture>;
