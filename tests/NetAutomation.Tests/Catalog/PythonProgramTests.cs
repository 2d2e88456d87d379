using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

/// <summary>Programs in Python that hold blocks, and what blocks are proven on, to their words.</summary>
public sealed class PythonProgramTests
{
    /// <summary>
    /// The lines that every case of every block plans, what the blocks that only read make of a device, which lines hide a secret, which
    /// neighbours and default routes are up, texts of which a change leaves the rest, and the imitation devices.
    /// </summary>
    [Theory]
    [InlineData("blocks/cases.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("blocks/judge.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("blocks/masks.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("blocks/neighbors.py", "^[1-9][0-9]* passed, 0 failed$")]
    [InlineData("blocks/texts.py", "^[1-9][0-9]* passed$")]
    [InlineData("devices/selftest", "^[1-9][0-9]* passed, 0 failed$")]
    public async Task Everything_that_it_checks_holds(string program, string last)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/python3", [$"{PostgresServer.RepositoryRoot()}/tests/{program}"])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(0, output);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(last);
    }
}
