using System.Diagnostics;

namespace NetAutomation.Tests.Execution;

/// <summary>A device of the lab has its own files, names and rules: what happens on it does not happen on this machine.</summary>
[Trait("Requires", "root-lab")]
public sealed class LabTests(MachineLab lab) : IClassFixture<MachineLab>
{
    private static readonly string _state = Path.Combine(SandboxFixture.RepositoryRoot, "tests/lab/own-state");

    [Fact]
    public async Task What_happens_on_a_machine_of_the_lab_leaves_this_one_as_it_was()
    {
        Assert.SkipUnless(MachineTests.Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Everything = """
            hostname other; echo other > /etc/hostname; echo words > /etc/motd; echo 'nameserver 192.0.2.1' > /etc/resolv.conf
            nft add table inet lab; ip route add 192.0.2.0/24 via 10.66.0.1; touch /dev/lab /run/lab /var/log/lab /etc/network/lab
            mount -t tmpfs none /mnt; service rsyslog restart; service snmpd restart; useradd lab
            for each in /usr /var/lib /opt /boot; do ! touch $each/lab || exit 1; done
            """;

        var before = await Run(_state);
        foreach (var machine in new[] { "b001", "l001", "o001" })
        {
            await lab.Shell(machine, Everything + "; exit 0");
        }

        (await Run(_state)).ShouldBe(before);
        (await lab.Shell("l001", "hostname; nft list tables; cat /etc/motd")).ShouldBe("other\ntable inet lab\nwords\n");
    }

    [Theory]
    [InlineData("hostname other")]
    [InlineData("echo other > /etc/hostname")]
    [InlineData("touch /etc/network/lab")]
    [InlineData("nft add table inet lab")]
    [InlineData("ip address add 192.0.2.1/32 dev lo")]
    [InlineData("touch /dev/lab")]
    [InlineData("mount -t tmpfs none /mnt")]
    public async Task A_change_of_this_machine_would_be_seen(string change)
    {
        Assert.SkipUnless(MachineTests.Possible, "needs root, FRR, BIRD, Open vSwitch and nftables");
        const string Copy = """
            for each in etc dev; do
              mount -t tmpfs none /mnt
              cp -a --one-file-system /$each/. /mnt 2>/dev/null
              mount --move /mnt /$each
            done
            """;

        var seen = await Run("/usr/bin/unshare", "--mount", "--uts", "--net", "/bin/sh", "-c",
            $"{Copy}\nbefore=$({_state}); {change}; after=$({_state}); [ \"$before\" = \"$after\" ] && echo same || echo other");

        seen.ShouldBe("other\n");
    }

    private static async Task<string> Run(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output;
    }
}
