using System.Globalization;
using System.Net.Sockets;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Fleet;

namespace NetAutomation.Tests.Execution;

/// <summary>More devices than one Ansible process handles.</summary>
public sealed class ManyDevicesTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    private const int Count = 40;
    private const string Slow = "d07";

    [Fact]
    public async Task Every_device_gets_its_outcome_and_a_slow_one_holds_up_no_other()
    {
        Assert.SkipUnless(await SandboxProbe.Check(fixture.Options, fixture.Users, CancellationToken.None) is [], "needs namespaces");
        var folder = Directory.CreateTempSubdirectory("na-many");
        try
        {
            using var routers = await Routers.Start(folder.FullName, Count);
            await Play(folder.FullName, routers);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task Play(string folder, Routers routers)
    {
        routers.Slow(($"{Slow} show", 240));
        var devices = Enumerable.Range(1, Count).Select(i => new SandboxDevice(
            Routers.Name(i), "frr", routers.Port, Routers.Username, routers.Password, null, null, routers.HostKey(i),
            string.Join(' ', File.ReadAllText(Path.Combine(folder, $"{Routers.Name(i)}.key.pub")).Split(' ').Take(2)))).ToList();
        var job = new SandboxJob(
            Guid.NewGuid().ToString("n"), Path.Combine(fixture.Content, "static-routes"), fixture.Platforms, false,
            SandboxFixture.Json("""{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1"}]}"""), devices, TimeSpan.FromMinutes(5),
            TimeSpan.FromMinutes(5));

        var (result, events) = await SandboxFixture.Finish(fixture.Launcher.Start(job, async (device, cancel) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(Routers.Address(int.Parse(device[1..], CultureInfo.InvariantCulture)), routers.Port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }), seen =>
        {
            if (seen.Count(each => each.Type == "device_outcome") == Count - 1)
            {
                routers.Slow();
            }
        });

        result.Fault.ShouldBeNull();
        result.Devices.ShouldAllBe(device => device.Outcome == DeviceOutcome.Changed);
        events.Where(runEvent => runEvent.Type == "output").ShouldBeEmpty();
        var outcomes = events.Where(runEvent => runEvent.Type == "device_outcome").Select(runEvent => runEvent.Device).ToList();
        outcomes.Order(StringComparer.Ordinal).ShouldBe(devices.Select(device => device.Name));
        outcomes[^1].ShouldBe(Slow);
    }
}
