using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

/// <summary>A short run of tests/faults/run on its own stacks; docs/testing.md explains the counts.</summary>
[Collection("Takes all of the machine")]
public sealed class FaultTests
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(12);

    [Fact]
    public async Task Dying_processes_and_networks_lose_nothing_and_repeat_nothing()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: an unprivileged user for the services.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string> { ["NETAUTOMATION_INDEX"] = "221" },
            "tests/faults/run", "--seed", "1", "--rounds", "3", "--only", "kill-worker,kill-api,cut-10");

        var counts = JsonNode.Parse(output.TrimEnd().Split('\n')[^1])!;
        foreach (
            var count in (string[])[
                "lostRuns", "doubleRuns", "doubleSettlements", "missingCharges", "staleWrites", "overlappingSessions", "wrongOutcomes",
                "lateDetections"])
        {
            counts[count]!.GetValue<int>().ShouldBe(0, error);
        }

        counts["faults"]!.AsObject().Count.ShouldBe(3, error);
        counts["outcomes"]!["changed"]!.GetValue<int>().ShouldBeGreaterThan(0, error);
        code.ShouldBe(0, error);
    }

    [Fact]
    public async Task A_guarded_change_that_is_cut_off_stays_or_goes_back_as_the_run_says()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: a lab of devices.");

        var (code, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string> { ["NETAUTOMATION_INDEX"] = "227" },
            "tests/faults/run", "--only", "guard", "--seed", "1", "--rounds", "6");

        var counts = JsonNode.Parse(output.TrimEnd().Split('\n')[^1])!;
        // A round that a busy machine plays too late is not cut, which is no finding.
        counts["cuts"]!.AsObject().Count.ShouldBeGreaterThanOrEqualTo(4, error);
        code.ShouldBe(0, error);
    }

    // The ratio of the times is not judged here, where other tests use the same processors.
    [Fact]
    public async Task A_customer_that_attacks_takes_no_answer_and_no_run_from_another()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Needs root: an unprivileged user for the services.");

        var (_, output, error) = await Repository.Run(
            _limit, new Dictionary<string, string> { ["NETAUTOMATION_INDEX"] = "225" },
            "tests/faults/run", "--only", "abuse", "--seed", "1", "--rounds", "1", "--seconds", "6", "--attacks",
            "raw,tls,rapid-reset,slow-bodies,queued-runs,exports");

        var counts = JsonNode.Parse(output.TrimEnd().Split('\n')[^1])!.AsObject();
        counts["runs"]!.GetValue<int>().ShouldBe(3, error);
        counts.Where(count => count.Key is not ("seed" or "rounds" or "runs" or "seconds" or "slowedCalls"))
            .ShouldAllBe(count => count.Value!.GetValue<int>() == 0, error);
    }
}
