using System.Diagnostics;
using System.Globalization;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

/// <summary>The connector's program as its user runs it.</summary>
public sealed class ConnectorProcessTests(PostgresServer postgres)
{
    [Theory]
    [InlineData(2)]
    [InlineData(2, "frobnicate")]
    [InlineData(2, "run", "--state", "x")]
    [InlineData(2, "run", "--state", "x", "--state", "y", "--allow-list", "z")]
    [InlineData(2, "join", "--endpoint", "h:99999", "--state", "x")]
    [InlineData(1, "run", "--state", "/nonexistent", "--allow-list", "/nonexistent")]
    [InlineData(0, "--help")]
    [InlineData(0, "version")]
    public async Task Exit_code_tells_use_from_failure(int code, params string[] arguments)
    {
        var (exit, output) = await ConnectorProcess.Finish(ConnectorProcess.Start(null, arguments));
        exit.ShouldBe(code, output);
        output.ShouldNotContain("   at ", Case.Sensitive);
    }

    [Fact]
    public async Task Joined_connector_carries_a_stream_and_drains_on_sigterm()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("process");
        var (ca, list, state) =
            (Path.Combine(pair.Folder.FullName, "ca.pem"), Path.Combine(pair.Folder.FullName, "allow"),
                Path.Combine(pair.Folder.FullName, "state"));
        await File.WriteAllTextAsync(ca, ConnectorPair.CaPem);
        await File.WriteAllTextAsync(list, device.Allowed);
        var (exit, output) = await ConnectorProcess.Finish(ConnectorProcess.Start(
            token, "join", "--endpoint", $"nowhere.invalid:{pair.Port}", "--address", "127.0.0.1", "--server-name",
            ConnectorPair.ServerName, "--ca", ca, "--token-file", "-", "--state", state));
        exit.ShouldBe(0, output);
        output.ShouldNotContain(token);

        var process = ConnectorProcess.Start(null, "run", "--state", state, "--allow-list", list, "--drain-seconds", "30");
        await Eventually.Holds(() => pair.Hub.All.Any(l => l.Connector == id));
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        ConnectorProcess.Terminate(process);
        string? code = null;
        while (code != DialCodes.ShuttingDown)
        {
            var late = await pair.Dialler.Dial(pair.Dial(device), TimeSpan.FromSeconds(5), default);
            code = late.Code;
            late.Stream?.Dispose();
        }

        await stream.WriteAsync("still"u8.ToArray());
        (await socket.ReceiveAsync(new byte[5])).ShouldBe(5);
        await stream.DisposeAsync();
        (exit, output) = await ConnectorProcess.Finish(process);
        exit.ShouldBe(0, output);
        output.ShouldContain("draining");
    }

    [Fact]
    public async Task Wrong_authority_is_not_trusted()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("process");
        var ca = Path.Combine(pair.Folder.FullName, "other.pem");
        using var key = Proof.CreateKey();
        var other =
            new System.Security.Cryptography.X509Certificates.CertificateRequest(
                $"CN={ConnectorPair.ServerName}", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        await File.WriteAllTextAsync(
            ca, other.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)).ExportCertificatePem());
        string[] arguments =
            ["join", "--endpoint", $"127.0.0.1:{pair.Port}", "--server-name", ConnectorPair.ServerName, "--ca", ca, "--token-file", "-",
                "--state", Path.Combine(pair.Folder.FullName, "s")];
        (await ConnectorProcess.Finish(ConnectorProcess.Start(token, arguments))).Exit.ShouldBe(1);
        var (trusted, wrongName) = (Path.Combine(pair.Folder.FullName, "ca.pem"), arguments.ToArray());
        await File.WriteAllTextAsync(trusted, ConnectorPair.CaPem);
        (wrongName[4], wrongName[6]) = ("other.test", trusted);
        (await ConnectorProcess.Finish(ConnectorProcess.Start(token, wrongName))).Exit.ShouldBe(1);
        (await pair.Sql<long>("select count(*) from connectors.join_token where used_at is not null")).ShouldBe(0);
    }

    [Fact]
    public async Task Limit_of_sessions_per_device_is_the_option_given()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        using var process = await Run(pair, device, ConnectorProcess.Program, "--device-sessions", "1");
        await using var stream = await pair.Open(pair.Dial(device));
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.Busy);
        process.Kill();
    }

    /// <summary>As Dockerfile publishes it: one trimmed file.</summary>
    [Fact]
    public async Task Published_connector_needs_less_than_60_megabytes()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var published = Path.Combine(pair.Folder.FullName, "published");
        var project = Path.Combine(PostgresServer.RepositoryRoot(), "src/NetAutomation.Connector");
        var (exit, output) = await ConnectorProcess.Finish(
            ConnectorProcess.StartProgram(
                "dotnet", null, "publish", project, "-c", "Release", "-r", "linux-x64", "-p:RunAnalyzers=false", "--artifacts-path",
                Path.Combine(pair.Folder.FullName, "artifacts"), "-o", published),
            seconds: 600);
        exit.ShouldBe(0, output);
        using var process = await Run(pair, device, Path.Combine(published, "netautomation-connector"));
        // Beside what has just compiled it, the first dials of a fresh process may take longer than a connector waits.
        await Eventually.Holds(async () =>
        {
            var first = await pair.Dialler.Dial(pair.Dial(device), TimeSpan.FromSeconds(10), default);
            first.Stream?.Dispose();
            return first.Code is null;
        });
        for (var i = 0; i < 5; i++)
        {
            await using var stream = await pair.Open(pair.Dial(device));
        }

        await Eventually.Holds(() => pair.Hub.All.Single().Load == 0);
        var (now, most) = (Kilobytes(process.Id, "VmRSS"), Kilobytes(process.Id, "VmHWM"));
        TestContext.Current.TestOutputHelper!.WriteLine($"resident {now} kB, at most {most} kB");
        process.Kill();
        most.ShouldBeLessThan(60 * 1024);
    }

    private static long Kilobytes(int process, string name) =>
        long.Parse(
            File.ReadLines($"/proc/{process}/status").Single(l => l.StartsWith(name, StringComparison.Ordinal))
                .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);

    /// <summary>Starts a joined and attached process.</summary>
    private static async Task<Process> Run(ConnectorPair pair, TestDevice device, string program, params string[] more)
    {
        var (id, token) = await pair.Enrol("process");
        var (_, state) = await pair.Join(token);
        var list = Path.Combine(pair.Folder.FullName, "allow");
        await File.WriteAllTextAsync(list, device.Allowed);
        var process = ConnectorProcess.StartProgram(program, null, ["run", "--state", state, "--allow-list", list, .. more]);
        await Eventually.Holds(() => pair.Hub.All.Any(l => l.Connector == id));
        return process;
    }
}
