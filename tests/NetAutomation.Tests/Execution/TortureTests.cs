using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Real Ansible in a real sandbox against devices that pause, split, overprint and rewrite what they say, at any byte.</summary>
[Sampled(of: 2, share: 0)]
public class TortureTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    // A stock ansible-playbook starts two Pythons for each.
    private int Devices => fixture.Options.Warm ? 24 : 6;

    [Fact]
    public async Task Backups_of_it_are_its_own_bytes_or_fail()
    {
        Assert.SkipUnless(await SandboxProbe.Check(fixture.Options, fixture.Users, CancellationToken.None) is [], "needs namespaces");
        var state = Directory.CreateTempSubdirectory("na-torture").FullName;
        await File.WriteAllTextAsync(
            Path.Combine(state, "login.json"), JsonSerializer.Serialize(new { username = "netops", password = "sample-secret" }));
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        using var serving = TorturedSessionTests.Start(
            "torture.py", "serve", "--port", port.ToString(CultureInfo.InvariantCulture), "--devices",
            Devices.ToString(CultureInfo.InvariantCulture), "--login", Path.Combine(state, "login.json"), "--state", state);
        try
        {
            (await serving.StandardOutput.ReadLineAsync()).ShouldBe("ready");
            var devices = Enumerable.Range(1, Devices).Select(number => Device(state, number, port)).ToList();
            var job = new SandboxJob(
                Guid.NewGuid().ToString("n"), Path.Combine(fixture.Content, "config-backup"), fixture.Platforms, false,
                SandboxFixture.Json("{}"), devices, TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(8));

            var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(job, async (name, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Parse($"127.66.0.{int.Parse(name[1..], CultureInfo.InvariantCulture)}"), port, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            }));

            foreach (var device in result.Devices)
            {
                var whole = await File.ReadAllBytesAsync(Path.Combine(state, device.Name + ".conf"));
                (device.Outcome, device.Code).ShouldBe(
                    whole.Length == 0 ? (DeviceOutcome.Failed, DeviceCode.IncompleteOutput) : (DeviceOutcome.Ok, null),
                    $"{device.Name}: {device.Message}");
                device.Artifacts.SelectMany(artifact => artifact.Content).ShouldBe(whole, device.Name);
            }
        }
        finally
        {
            serving.Kill();
            Directory.Delete(state, recursive: true);
        }
    }

    private static SandboxDevice Device(string state, int number, int port)
    {
        var name = $"d{number:d2}";
        var key = File.ReadAllText(Path.Combine(state, name + ".key.pub")).Split(' ');
        var pin = $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(key[1]))).TrimEnd('=')}";
        return new SandboxDevice(name, "frr", port, "netops", "sample-secret", null, null, pin, $"{key[0]} {key[1]}");
    }
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Sampled(of: 2, share: 1)]
public sealed class StockTortureTests(StockSandboxFixture fixture) : TortureTests(fixture), IClassFixture<StockSandboxFixture>;

/// <summary>The engine's session code against such devices, without a network and with a clock of its own.</summary>
public sealed class TorturedSessionTests
{
    [Fact]
    public async Task A_reading_is_right_or_fails_and_fails_only_where_the_device_gives_cause()
    {
        using var reading = Start("torture.py", "read", "--readings", "2000");
        var counts = JsonSerializer.Deserialize<JsonElement>(await reading.StandardOutput.ReadToEndAsync());
        await reading.WaitForExitAsync();

        int Count(string name) => counts.GetProperty(name).GetInt32();
        Count("wrong").ShouldBe(0, counts.GetRawText());
        Count("falselyIncomplete").ShouldBe(0, counts.GetRawText());
        Count("able").ShouldBeGreaterThan(1500, counts.GetRawText());
        Count("whole").ShouldBeGreaterThanOrEqualTo((Count("able") * 99 + 99) / 100, counts.GetRawText());
    }

    [Fact]
    public async Task A_talk_with_a_device_that_has_one_trouble_ends_as_it_should()
    {
        using var talking = Start("talks.py");
        var output = await talking.StandardOutput.ReadToEndAsync();
        await talking.WaitForExitAsync();

        talking.ExitCode.ShouldBe(0, output);
        output.TrimEnd().Split('\n')[^1].ShouldMatch("^[1-9][0-9]* passed, 0 failed$");
    }

    internal static Process Start(string program, params string[] arguments) => Process.Start(
        new ProcessStartInfo("/usr/bin/python3", [Path.Combine(SandboxFixture.RepositoryRoot, "tests/devices", program), .. arguments])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!;
}
