using System.Text.RegularExpressions;

namespace NetAutomation.EndToEnd;

/// <summary>Blocks on devices, and the tool of those who write them.</summary>
public sealed class ProofTests
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task An_eighth_of_all_blocks_on_all_platforms_does_on_devices_what_its_proof_says()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/run", "--sample", $"{Random.Shared.Next(1000)}");

        code.ShouldBe(0, output + error);
        var last = Regex.Match(
            output.TrimEnd().Split('\n')[^1], @"^(\d+) cells proven \((\d+) on real devices\), 0 failed$", RegexOptions.None,
            TimeSpan.FromSeconds(1));
        last.Success.ShouldBeTrue(output);
        last.Groups.Values.Skip(1).ShouldAllBe(count => count.Value != "0", output);
    }

    [Fact]
    public async Task The_guide_for_authors_leads_from_an_empty_folder_to_a_block_that_is_proven_and_packed()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/guide");

        code.ShouldBe(0, output + error);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^link-label-1\.0\.0\.tar sha256:[0-9a-f]{64}$");
    }
}
