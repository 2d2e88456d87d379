using System.Globalization;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Billing;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connections;

/// <summary>
/// Histories by seed: owners create, delete and take over endpoints while EC2 lags, throttles and fails, and the reconciling process is
/// killed at any step or runs twice. In the end exactly the right endpoints are bound to their owner's tenant, by the simulator's own
/// state. NETAUTOMATION_CONNECTION_SEED and one history repeat a seed.
/// </summary>
public sealed class ReconcileHistoryTests(PostgresServer postgres)
{
    private const int Histories = 16;
    private static readonly string[] _faults = ["throttle", "unavailable", "internal", "cut", "kept_then_failed", "kept_then_cut"];

    [Fact]
    public async Task Wherever_it_is_killed_the_end_is_the_same()
    {
        var first = Number("NETAUTOMATION_CONNECTION_SEED") ?? Random.Shared.Next();
        var count = Number("NETAUTOMATION_CONNECTION_HISTORIES") ?? Histories;
        TestContext.Current.TestOutputHelper?.WriteLine($"seeds {first} to {first + count - 1}");
        var (kills, bound) = (0, 0);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 3 },
            async (i, _) =>
            {
                var seed = unchecked(first + i);
                try
                {
                    var (died, alive) = await Play(new Random(seed), seed);
                    Interlocked.Add(ref kills, died);
                    Interlocked.Add(ref bound, alive);
                }
                catch (Exception fault)
                {
                    throw new InvalidOperationException($"The history of seed {seed} failed.", fault);
                }
            });
        TestContext.Current.TestOutputHelper?.WriteLine($"{kills} kills, {bound} bound in the end");
        kills.ShouldBeGreaterThan(count);
        bound.ShouldBeGreaterThan(count);
    }

    private async Task<(int Kills, int Bound)> Play(Random chance, int seed)
    {
        await using var fixture =
            await ConnectionFixture.Start(
                postgres,
                new Ec2Options { VisibilityMilliseconds = chance.Next(3) * 400, ItemFaultPercent = chance.Next(3) * 10, FaultSeed = seed });
        string[] accounts = [.. Enumerable.Range(0, 6).Select(_ => ConnectionFixture.NewAccount())];
        // Two accounts with one tenant each, one suspended, one with two tenants, and two strangers.
        await fixture.Tenant([accounts[0]]);
        await fixture.Tenant([accounts[1], accounts[3]]);
        await fixture.Tenant([accounts[2]], "suspended");
        await fixture.Tenant([accounts[3]]);
        var kills = 0;
        for (var step = chance.Next(4, 9); step > 0; step--)
        {
            await ChangeEndpoints(fixture, accounts, chance);
            if (chance.Next(4) == 0)
            {
                // Two rounds at once must be harmless, but one of them may fail.
                await Task.WhenAll(fixture.Attempt(), fixture.Attempt());
            }
            else
            {
                var kill = new KillSwitch(chance.Next(1, 60));
                try
                {
                    await fixture.Attempt(kill);
                }
                catch (Exception) when (kill.Killed)
                {
                    kills++;
                }
            }

            fixture.Clock.Advance(TimeSpan.FromMilliseconds(chance.Next(1500)));
            (await fixture.Value<long>(
                """
                select count(*) from onboarding.binding b join onboarding.endpoint_connection c on c.id = b.connection
                where b.ended_at is null and not exists (
                  select from onboarding.tenant_account a where a.tenant_id = b.tenant_id and a.account = c.owner)
                """)).ShouldBe(0, "bound to a tenant that has nothing to do with the owner");
        }

        await fixture.Settle();
        var (truth, bound) = (await fixture.Truth(), await fixture.Bound());
        var expected = truth.Where(each => Array.IndexOf(accounts, each.Value.Account) < 2 && each.Value.State == "available")
            .Select(each => each.Key).Order().ToList();
        bound.Keys.Order().ShouldBe(expected);
        bound.ShouldAllBe(each => each.Value.Accounts.Contains(truth[each.Key].Account));
        foreach (var (id, (account, state)) in truth)
        {
            // No connection that the policy accepts or rejects is left waiting.
            var kind = Array.IndexOf(accounts, account);
            (state == "pendingAcceptance" && kind is not (2 or 3)).ShouldBeFalse($"{id} of account {kind} waits");
            (state == "available" && kind >= 4).ShouldBeFalse($"the stranger's {id} is available");
        }

        return (kills, bound.Count);
    }

    private static async Task ChangeEndpoints(ConnectionFixture fixture, string[] accounts, Random chance)
    {
        for (var events = chance.Next(1, 4); events > 0; events--)
        {
            var which = new { share = chance.Next(1, 4) / 10.0, seed = chance.Next() };
            switch (chance.Next(7))
            {
                case 0 or 1 or 2:
                    await fixture.Make(accounts, chance.Next(1, 30));
                    break;
                case 3:
                    await fixture.Change("delete", which);
                    break;
                case 4:
                    await fixture.Change("recreate", new { which.share, which.seed, owner = accounts[chance.Next(accounts.Length)] });
                    break;
                case 5:
                    await fixture.Change(
                        "put", new
                        {
                            which.share, which.seed, state = chance.Next(2) == 0 ? "failed" : "rejected",
                            states = new[] { "available", "pendingAcceptance" }
                        });
                    break;
                default:
                    await fixture.Cloud.ControlAsync(
                        HttpMethod.Post, "/control/ec2/faults",
                        new { faults = new[] { _faults[chance.Next(_faults.Length)] }, times = chance.Next(1, 4) }, 201);
                    break;
            }
        }
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : null;
}
