using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class BlockCasesTests
{
    [Theory]
    [InlineData("cases.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("texts.py", "^[1-9][0-9]* passed$")]
    public async Task Every_case_of_every_block_is_planned_as_it_says_and_leaves_the_rest_of_a_text(string program, string last)
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
