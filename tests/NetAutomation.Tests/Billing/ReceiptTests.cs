using System.Text;
using NetAutomation.Connector;
using NetAutomation.Runs;
using NetAutomation.Tests.Connectors;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>A tenant's receipts after three runs, as its customer downloads them.</summary>
public sealed class ReceiptExport(PostgresServer postgres) : IAsyncLifetime
{
    internal RunFixture Fixture { get; private set; } = null!;

    internal byte[] Lines { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        Fixture = await RunFixture.Start(postgres, 2);
        for (var i = 0; i < 3; i++)
        {
            await Fixture.StartRun();
            await Fixture.Work((await Fixture.Claim())!, DeviceOutcome.Changed, i == 0 ? DeviceOutcome.Failed : DeviceOutcome.Ok);
        }

        Lines = await Fixture.Client.GetByteArrayAsync("/v1/receipts");
    }

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();
}

public sealed class ReceiptTests(ReceiptExport export) : IClassFixture<ReceiptExport>
{
    [Fact]
    public async Task A_true_chain_is_verified()
    {
        var (code, said) = await Verify(export.Lines);
        said.ShouldStartWith("ok       6 receipts, 1 to 6, head sha256:");
        code.ShouldBe(0);
    }

    [Fact]
    public async Task Any_single_changed_byte_is_found()
    {
        // Replaces each byte by another one: any, a digit, a line end.
        for (var i = 0; i < export.Lines.Length; i++)
        {
            foreach (var other in (byte[])[(byte)(export.Lines[i] ^ 1), (byte)'\n', (byte)'\r', (byte)'0', 0xff])
            {
                var changed = (byte[])export.Lines.Clone();
                changed[i] = other;
                if (other != export.Lines[i])
                {
                    var (code, said) = await Verify(changed);
                    code.ShouldBe(1, $"byte {i} as {other}: {said}");
                }
            }
        }
    }

    [Fact]
    public async Task A_dropped_doubled_or_moved_receipt_is_found()
    {
        var lines = Encoding.UTF8.GetString(export.Lines).TrimEnd('\n').Split('\n');
        var head = lines[^1][^67..^2];
        string[][] forged =
        [
            [.. lines.Where((_, i) => i != 2)],
            [.. lines.Skip(1).Prepend(lines[1])],
            [lines[1], lines[0], .. lines.Skip(2)],
            [.. lines, lines[^1]],
        ];
        foreach (var each in forged)
        {
            (await Verify(Text(each))).Code.ShouldBe(1);
        }

        // A cut at either end shows only with the known hash of that end.
        (await Verify(Text(lines[..^1]))).Code.ShouldBe(0);
        (await Verify(Text(lines[..^1]), "--head", $"sha256:{head[1..]}")).Code.ShouldBe(1);
        (await Verify(Text(lines), "--head", $"sha256:{head[1..]}")).Code.ShouldBe(0);
        (await Verify(Text(lines[3..]))).Code.ShouldBe(0);
        (await Verify(Text(lines[3..]), "--from", $"sha256:{new string('a', 64)}")).Code.ShouldBe(1);
    }

    [Fact]
    public async Task The_export_goes_on_after_a_number()
    {
        var rest = await export.Fixture.Client.GetStringAsync("/v1/receipts?after=4");
        rest.ShouldBe(string.Concat(Encoding.UTF8.GetString(export.Lines).TrimEnd('\n').Split('\n')[4..].Select(line => line + "\n")));
        (await export.Fixture.Client.GetStringAsync("/v1/receipts?after=6")).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_command_tells_by_its_exit_code()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, export.Lines);
            var (exit, output) = await ConnectorProcess.Finish(ConnectorProcess.Start(null, "verify-receipts", file));
            exit.ShouldBe(0, output);
            await File.WriteAllTextAsync(
                file, Encoding.UTF8.GetString(export.Lines).Replace("\"changed\"", "\"ok\"", StringComparison.Ordinal));
            (exit, output) = await ConnectorProcess.Finish(ConnectorProcess.Start(null, "verify-receipts", file));
            exit.ShouldBe(1, output);
            output.ShouldContain("receipt 1 (line 1) was changed");
            (exit, _) = await ConnectorProcess.Finish(ConnectorProcess.Start(null, "verify-receipts"));
            exit.ShouldBe(2);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static byte[] Text(string[] lines) => Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));

    private static async Task<(int Code, string Output)> Verify(byte[] lines, params string[] options)
    {
        using var said = new StringWriter();
        var code =
            await VerifyReceiptsCommand.Run(
                new CommandLine(["verify-receipts", .. options, "-"], "--from", "--head"), new MemoryStream(lines), said, default);
        return (code, said.ToString());
    }
}
