using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connections;

/// <summary>A small version of the bench reconcile-10k: many connections, of which a fifth changes, while EC2 throttles and lags.</summary>
public sealed class ManyConnectionsTests(PostgresServer postgres)
{
    private const int Count = 2000;

    [Fact]
    public async Task Two_thousand_connections_of_which_a_fifth_flaps_end_bound_to_their_owners_only()
    {
        await using var fixture =
            await ConnectionFixture.Start(
                postgres, new Ec2Options { VisibilityMilliseconds = 500, BucketCapacity = 10, RefillPerSecond = 5 });
        string[] accounts = [.. Enumerable.Range(0, 220).Select(_ => ConnectionFixture.NewAccount())];
        var tenants = accounts[..200].ToHashSet();
        foreach (var account in tenants)
        {
            await fixture.Tenant([account]);
        }

        await fixture.Make(accounts, Count);
        await fixture.Change("fault", new { share = 0.05, seed = 1, code = "InvalidState", times = 2 });
        for (var i = 0; i < 5; i++)
        {
            await fixture.Attempt();
            await fixture.Change("delete", new { share = 0.01, seed = 10 + i });
            await fixture.Change("recreate", new { share = 0.01, seed = 20 + i, owner = accounts[i % 2 == 0 ? i : ^(i + 1)] });
            await fixture.Change(
                "put", new
                {
                    share = 0.01, seed = 30 + i, state = i % 2 == 0 ? "rejected" : "failed",
                    states = new[] { "available", "pendingAcceptance" }
                });
            fixture.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        await fixture.Settle();
        var (truth, bound) = (await fixture.Truth(), await fixture.Bound());
        bound.Keys.Order()
            .ShouldBe(
                truth.Where(each => each.Value.State == "available" && tenants.Contains(each.Value.Account)).Select(each => each.Key)
                    .Order());
        bound.ShouldAllBe(each => each.Value.Accounts.Contains(truth[each.Key].Account));
        bound.Count.ShouldBeGreaterThan(Count * 7 / 10);
        truth.Values.ShouldAllBe(
            each => each.State != "pendingAcceptance" && (each.State != "available" || tenants.Contains(each.Account)));
        var calls = (await fixture.Cloud.ControlAsync(HttpMethod.Get, "/control/calls")).EnumerateArray().ToList();
        calls.Sum(call => call.GetProperty("refused").GetInt32()).ShouldBeGreaterThan(0, "nothing was throttled");
        (await fixture.Value<long>(
            "select count(*) from onboarding.acceptance_decision where policy_version is distinct from 1 or rule = 'no_rule'")).ShouldBe(0);
    }
}
