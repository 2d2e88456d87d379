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

/// <summary>Real Ansible in a real sandbox against an imitation router that drops the session halfway.</summary>
[Sampled(of: 2, share: 0)]
public class DroppedSessionTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("config-backup", "{}", "show running-config")]
    [InlineData("static-routes", """{"state":"absent","routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1"}]}""", "show running-config")]
    [InlineData("static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1"}]}""", "write memory")]
    public async Task A_session_that_ends_during_a_command_is_no_answer_to_it(string block, string input, string command)
    {
        Assert.SkipUnless(await SandboxProbe.Check(fixture.Options, fixture.Users, CancellationToken.None) is [], "needs namespaces");
        var state = Directory.CreateTempSubdirectory("na-drop").FullName;
        await File.WriteAllTextAsync(
            Path.Combine(state, "login.json"), JsonSerializer.Serialize(new { username = "netops", password = "sample-secret" }));
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var router = new IPEndPoint(IPAddress.Parse("127.66.0.1"), ((IPEndPoint)free.LocalEndpoint).Port);
        using var fleet = Process.Start(new ProcessStartInfo("/usr/bin/python3",
            [Path.Combine(SandboxFixture.RepositoryRoot, "tests/faults/fleet.py"), "--port",
                router.Port.ToString(CultureInfo.InvariantCulture), "--devices", "1",
             "--login", Path.Combine(state, "login.json"), "--state", state, "--journal", state, "--drop-on", command])
        { RedirectStandardOutput = true, UseShellExecute = false })!;
        try
        {
            (await fleet.StandardOutput.ReadLineAsync()).ShouldBe("ready");
            var key = (await File.ReadAllTextAsync(Path.Combine(state, "d01.key.pub"))).Split(' ');
            var pin = $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(key[1]))).TrimEnd('=')}";
            var device = new SandboxDevice("d01", "frr", router.Port, "netops", "sample-secret", null, null, pin, $"{key[0]} {key[1]}");
            var job = new SandboxJob(
                Guid.NewGuid().ToString("n"), Path.Combine(fixture.Content, block), fixture.Platforms, false, SandboxFixture.Json(input),
                [device],
                TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(3));

            var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(job, async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(router, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            }));

            (result.Devices[0].Outcome, result.Devices[0].Code)
                .ShouldBe((DeviceOutcome.Failed, DeviceCode.ConnectionClosed), result.Devices[0].Message);
            result.Devices[0].Artifacts.ShouldBeEmpty();
        }
        finally
        {
            fleet.Kill();
            Directory.Delete(state, recursive: true);
        }
    }
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Sampled(of: 2, share: 1)]
public sealed class StockDroppedSessionTests(StockSandboxFixture fixture)
    : DroppedSessionTests(fixture), IClassFixture<StockSandboxFixture>;
