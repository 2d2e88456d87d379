using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

/// <summary>A short run of tests/endings, which ends scripts while they work.</summary>
public sealed class EndingTests
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Script_that_is_ended_leaves_no_process_namespace_or_folder()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: namespaces of its own.");
        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string>(StringComparer.Ordinal),
            "tests/endings", "--seed", $"{Random.Shared.Next()}", "--rounds", "1", "--within", "2", "--only", "postgres,lab,up");
        code.ShouldBe(0, error);
        var counts = JsonNode.Parse(output.TrimEnd().Split('\n')[^1])!;
        (counts["rounds"]!.GetValue<int>(), counts["left"]!.GetValue<int>()).ShouldBe((3, 0), error);
    }
}
