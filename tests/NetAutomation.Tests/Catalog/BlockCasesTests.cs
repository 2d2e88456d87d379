using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class BlockCasesTests
{
    /// <summary>The lines that every case of every block plans, and what the blocks that only read make of a device, and texts of which
    /// a change leaves the rest.</summary>
    [Theory]
    [InlineData("cases.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("judge.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("texts.py", "^[1-9][0-9]* passed$")]
    public async Task Blocks_do_on_paper_what_they_say(string program, string last)
    {
        using var process =
            Process.Start(
                new ProcessStartInfo(
                    "/usr/bin/python3", [$"{PostgresServer.RepositoryRoot()}/tests/blocks/{program}"])
                {
                    RedirectStandardOutput = true, UseShellExecute = false
                })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(0, output);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(last);
    }
}
