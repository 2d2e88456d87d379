using System.Diagnostics;
using System.Runtime.InteropServices;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

/// <summary>The connector as its user runs it. NETAUTOMATION_CONNECTOR names another build of it, such as the published one.</summary>
public sealed class ConnectorProcessTests(PostgresServer postgres)
{
    private const int Sigterm = 15;

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
        var (exit, output) = await Finish(Start(null, arguments));
        exit.ShouldBe(code, output);
        output.ShouldNotContain("   at ", Case.Sensitive);
    }

    [Fact]
    public async Task Joined_connector_carries_a_stream_and_drains_on_sigterm()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("process");
        var (ca, list, state) = (Path.Combine(pair.Folder.FullName, "ca.pem"), Path.Combine(pair.Folder.FullName, "allow"), Path.Combine(pair.Folder.FullName, "state"));
        await File.WriteAllTextAsync(ca, ConnectorPair.CaPem);
        await File.WriteAllTextAsync(list, device.Allowed);
        var (exit, output) = await Finish(Start(
            token, "join", "--endpoint", $"nowhere.invalid:{pair.Port}", "--address", "127.0.0.1", "--server-name", ConnectorPair.ServerName, "--ca", ca, "--token-file", "-", "--state", state));
        exit.ShouldBe(0, output);
        output.ShouldNotContain(token);

        var process = Start(null, "run", "--state", state, "--allow-list", list, "--drain-seconds", "30");
        await ConnectorPair.Until(() => pair.Hub.All.Any(l => l.Connector == id));
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        Kill(process.Id, Sigterm).ShouldBe(0);
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
        (exit, output) = await Finish(process);
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
        var other = new System.Security.Cryptography.X509Certificates.CertificateRequest($"CN={ConnectorPair.ServerName}", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        await File.WriteAllTextAsync(ca, other.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)).ExportCertificatePem());
        string[] arguments = ["join", "--endpoint", $"127.0.0.1:{pair.Port}", "--server-name", ConnectorPair.ServerName, "--ca", ca, "--token-file", "-", "--state", Path.Combine(pair.Folder.FullName, "s")];
        (await Finish(Start(token, arguments))).Exit.ShouldBe(1);
        var (trusted, wrongName) = (Path.Combine(pair.Folder.FullName, "ca.pem"), arguments.ToArray());
        await File.WriteAllTextAsync(trusted, ConnectorPair.CaPem);
        (wrongName[4], wrongName[6]) = ("other.test", trusted);
        (await Finish(Start(token, wrongName))).Exit.ShouldBe(1);
        (await pair.Sql<long>("select count(*) from connectors.join_token where used_at is not null")).ShouldBe(0);
    }

    private static Process Start(string? input, params string[] arguments)
    {
        var built = Path.Combine(AppContext.BaseDirectory, "netautomation-connector");
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("NETAUTOMATION_CONNECTOR") ?? built, arguments)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        var process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return process;
    }

    private static async Task<(int Exit, string Output)> Finish(Process process)
    {
        using (process)
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, string.Concat(texts));
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
