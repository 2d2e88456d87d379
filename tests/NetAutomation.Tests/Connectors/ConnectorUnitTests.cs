using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connectors;

/// <summary>The systemd unit that customers install. Only a host with systemd can run the program in it.</summary>
public sealed class ConnectorUnitTests
{
    private static readonly string _unit =
        Path.Combine(PostgresServer.RepositoryRoot(), "deploy/connector/netautomation-connector.service");

    [Fact]
    public async Task Unit_is_valid_and_leaves_little_exposed()
    {
        Assert.SkipWhen(!File.Exists("/usr/bin/systemd-analyze"), "No systemd here.");
        var folder = Directory.CreateTempSubdirectory("unit-");
        var copy = Path.Combine(folder.FullName, Path.GetFileName(_unit));
        await File.WriteAllTextAsync(
            copy, (await File.ReadAllTextAsync(_unit))
                .Replace("/usr/local/bin/netautomation-connector", ConnectorProcess.Program, StringComparison.Ordinal));
        var (exit, output) = await ConnectorProcess.Finish(ConnectorProcess.StartProgram("systemd-analyze", null, "verify", copy));
        (exit, output).ShouldBe((0, ""));
        // The exposure score out of 100; systemd calls 50 and more medium.
        (exit, output) =
            await ConnectorProcess.Finish(
                ConnectorProcess.StartProgram("systemd-analyze", null, "security", "--no-pager", "--offline=yes", "--threshold=20", copy));
        exit.ShouldBe(0, output);
        folder.Delete(recursive: true);
    }

    [Fact]
    public void Unit_waits_longer_than_the_connector_drains()
    {
        var lines = File.ReadAllLines(_unit);
        var drain = lines.Single(l => l.StartsWith("ExecStart=", StringComparison.Ordinal)).Split("--drain-seconds ")[1].Split(' ')[0];
        var stop = lines.Single(l => l.StartsWith("TimeoutStopSec=", StringComparison.Ordinal)).Split('=')[1];
        int.Parse(stop, System.Globalization.CultureInfo.InvariantCulture)
            .ShouldBeGreaterThan(int.Parse(drain, System.Globalization.CultureInfo.InvariantCulture));
    }
}
