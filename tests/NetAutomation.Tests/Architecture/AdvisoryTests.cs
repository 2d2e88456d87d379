using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Architecture;

/// <summary>Locked packages, also those that another one brings, against the list of known advisories (<c>tests/advisories</c>).</summary>
public sealed class AdvisoryTests
{
    private static readonly string _root = PostgresServer.RepositoryRoot();

    [Fact]
    public async Task No_locked_package_has_a_known_advisory()
    {
        var (code, text) = await Check(_root);
        code.ShouldBe(0, text);
        text.ShouldEndWith(": 0 found\n");
    }

    [Theory]
    [InlineData("Newtonsoft.Json", "9.0.1", "GHSA-5crp-9r3c-p9vr")]
    [InlineData("npgsql", "7.0.6", "GHSA-x9vc-6hfv-hg8c")]
    [InlineData("Npgsql", "7.0.7", null)]
    [InlineData("Microsoft.OpenApi", "2.0.0-preview11", "GHSA-v5pm-xwqc-g5wc")]
    [InlineData("Microsoft.OpenApi", "2.0.0-preview10", null)]
    [InlineData("AWSSDK.Core", "4.0.3.2", "GHSA-9cvc-h2w8-phrp")]
    [InlineData("AWSSDK.Core", "4.0.3.10", null)]
    public async Task A_locked_version_is_found_where_an_advisory_holds_for_it(string package, string version, string? advisory)
    {
        var root = Directory.CreateTempSubdirectory("na-locks-");
        try
        {
            var project = root.CreateSubdirectory("src/project");
            await File.WriteAllTextAsync(
                $"{project.FullName}/packages.lock.json",
                $$$"""{ "dependencies": { "net10.0": { "{{{package}}}": { "type": "Transitive", "resolved": "{{{version}}}" } } } }""");
            var (code, text) = await Check(root.FullName);
            code.ShouldBe(advisory is null ? 0 : 1, text);
            text.ShouldContain(advisory ?? "0 found");
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static async Task<(int Code, string Text)> Check(string root)
    {
        using var process = Process.Start(
            new ProcessStartInfo($"{_root}/tests/advisories", ["--root", root])
            {
                UseShellExecute = false, RedirectStandardOutput = true,
            })!;
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, text);
    }
}
