using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NetAutomation.EndToEnd;

/// <summary>Blocks on devices, and the tool of those who write them.</summary>
[Collection("Takes all of the machine")]
public sealed class ProofTests
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task An_eighth_of_all_blocks_on_all_platforms_does_on_devices_what_its_proof_says()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/run", "--sample", "1");

        code.ShouldBe(0, output + error);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^[1-9]\d* cells proven \([1-9]\d* on real devices\), 0 failed$");
    }

    [Fact]
    public async Task A_guarded_change_of_each_kind_of_device_is_confirmed_or_goes_back()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/guard.py", "--sample", "1");

        code.ShouldBe(0, output + error);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^[1-9]\d* passed, 0 failed$");
    }

    [Fact]
    public async Task Neighbours_and_default_routes_of_real_routers_are_seen_up_and_seen_lost()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: network namespaces.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/neighbors.py", "--real");

        code.ShouldBe(0, output + error);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^[1-9]\d* passed, 0 failed$");
    }

    [Fact]
    public async Task A_proof_that_says_something_else_fails_at_the_step_that_does_not_hold()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");
        var folder = Directory.CreateTempSubdirectory("na-proofs-");
        try
        {
            var steps = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["refused"] = "refused: { input: { routes: [{ prefix: 10.9.0.0/16, nextHop: 10.66.0.1 }] }, at: /routes/0/vrf }",
                ["before"] = "before: |\n  no such line\n",
                ["input"] = "input: { routes: [] }",
                ["apply"] = "change: |\n  +ip route 10.9.0.0/16 10.66.0.9 tag 77\n",
                ["shows"] = "shows: [{ command: show ip route static, pattern: 'via 10.66.0.9' }]",
                ["result"] = "result: { verified: nothing }",
                ["fault"] = "fault: no such line",
            };
            foreach (var (step, member) in steps)
            {
                var block = Path.Combine(folder.FullName, step, "static-routes");
                Repository.Copy("src/Blocks/static-routes", block, path => !path.StartsWith("platforms/", StringComparison.Ordinal)
                    || path == "platforms/frr.yml");
                var proof = Path.Combine(block, "proofs/frr.yaml");
                var name = member.Split(':')[0];
                var others = Regex.Split(await File.ReadAllTextAsync(proof), "^(?=[a-z])", RegexOptions.Multiline, TimeSpan.FromSeconds(1))
                    .Where(part => !part.StartsWith(name + ":", StringComparison.Ordinal));
                await File.WriteAllTextAsync(proof, string.Concat(others) + member + "\n");
            }

            var file = Path.Combine(folder.FullName, "cells.json");
            var (code, output, error) = await Repository.Run(
                _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/run",
                ["--json", file, .. steps.Keys.Select(step => Path.Combine(folder.FullName, step, "static-routes"))]);

            code.ShouldBe(1, output + error);
            var cells = JsonNode.Parse(await File.ReadAllTextAsync(file))!.AsArray();
            cells.Select(cell => (Path.GetFileName(Path.GetDirectoryName($"{cell!["folder"]}"))!, $"{cell["fault"]}".Split(':')[0]))
                .ShouldBe(steps.Keys.Select(step => (step, step)), ignoreOrder: true, output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_guide_for_authors_leads_from_an_empty_folder_to_a_block_that_is_proven_and_packed()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal), "tests/blocks/guide");

        code.ShouldBe(0, output + error);
        output.TrimEnd().Split('\n')[^1].ShouldMatch(@"^link-label-1\.0\.0\.tar\.gz sha256:[0-9a-f]{64}$");
    }
}
