using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class BlockCasesTests
{
    [Fact]
    public async Task Every_case_of_every_block_is_planned_as_it_says()
    {
        using var process =
            Process.Start(
                new ProcessStartInfo(
                    "/usr/bin/python3", [$"{PostgresServer.RepositoryRoot()}/tests/blocks/cases.py"])
                {
                    RedirectStandardOutput = true, UseShellExecute = false
                })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(0, output);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^[1-9][0-9]* passed, 0 failed$");
    }
}
