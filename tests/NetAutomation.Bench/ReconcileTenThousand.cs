using System.Diagnostics;
using NetAutomation.Tests.Support;

namespace NetAutomation.Bench;

/// <summary>
/// 10,000 pending connections of 5,000 tenants and 500 strangers, of which a fifth changes while it is decided: deleted, created again by
/// another owner, rejected or failed by AWS, refused as items. EC2 throttles and shows every change half a second late. Meanwhile a
/// customer goes on calling at the same rate as before. At the end the bindings are compared with the simulator's own state.
/// </summary>
internal static class ReconcileTenThousand
{
    private const int Connections = 10_000;
    private const int Tenants = 5_000;
    private const int Strangers = 500;
    private const double Limit = 60;
    private const int Rate = 100;

    // p99 during the reconcile over p99 without it, which is measured before and after.
    private const double RatioLimit = 1.2;
    private static readonly string[] _accounts = [.. Enumerable.Range(0, Tenants + Strangers).Select(i => $"{600_000_000_000 + i}")];

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("starting simulator, service and database");
        await stack.StartSimulator(new { visibilityMilliseconds = 500, bucketCapacity = 30, refillPerSecond = 8 });
        await stack.CreateDatabase();
        await stack.Sql(
            """
            with made as (
              insert into onboarding.tenant (tenant_id, name, state)
              select gen_random_uuid(), a, 'active' from unnest($1) a returning tenant_id, name
            )
            insert into onboarding.tenant_account (tenant_id, account, proven_by) select tenant_id, name, 'operator' from made
            """,
            (object)_accounts[..Tenants]);
        await stack.StartService("api");
        await stack.StartService("scheduler", "Onboarding:ReconcileInterval=00:00:02", "Onboarding:PendingInterval=00:00:05");

        // Warm-up: both processes do everything once before the measurement.
        var warm = await Make(stack, 500);
        await Until(stack, warm.Count, TimeSpan.FromMinutes(3));
        using var client = (await Customer.Make(stack)).Client;
        await Measure(client, TimeSpan.FromSeconds(5));
        Stack.Log("measuring the customer while no endpoint is on its way");
        var before = await Measure(client, TimeSpan.FromSeconds(20));

        Stack.Log($"{Connections} endpoints ask");
        await Make(stack, Connections);
        await stack.Control(
            HttpMethod.Post, "/control/endpoints:fault",
            new { share = 0.05, seed = 1, states = new[] { "pendingAcceptance" }, code = "InvalidState", times = 2 });
        var begun = Stopwatch.GetTimestamp();
        using var decided = new CancellationTokenSource();
        var during = new Load(client, "/v1/me", Rate);
        var calling = during.Run(decided.Token);
        await ChangeConnections(stack);
        await Until(stack, Connections, TimeSpan.FromMinutes(5));
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        await decided.CancelAsync();
        await calling;

        var (wrong, missing, bound) = await Compare(stack);
        Stack.Log("measuring the customer again");
        await Measure(client, TimeSpan.FromSeconds(20), before);
        var ratio = during.Percentile(0.99) / before.Percentile(0.99);
        var calls = (await stack.Control(HttpMethod.Get, "/control/calls")).EnumerateArray().ToList();
        return new Result(
            "reconcile-10k",
            seconds <= Limit && wrong == 0 && missing == 0 && ratio <= RatioLimit && during.Failed == 0,
            [
                new("seconds", Math.Round(seconds, 1)),
                new("limit", Limit),
                new("wrongBindings", wrong),
                new("missingBindings", missing),
                new("bound", bound),
                new("calls", calls.Sum(call => call.GetProperty("calls").GetInt32())),
                new("throttled", calls.Sum(call => call.GetProperty("refused").GetInt32())),
                new("p99Without", Math.Round(before.Percentile(0.99), 1)),
                new("p99With", Math.Round(during.Percentile(0.99), 1)),
                new("p99Ratio", Math.Round(ratio, 2)),
                new("p99RatioLimit", RatioLimit),
                new("requests", during.Count),
                new("failedRequests", during.Failed),
            ]);
    }

    private static async Task<Load> Measure(HttpClient client, TimeSpan time, Load? more = null)
    {
        using var end = new CancellationTokenSource(time);
        var load = more ?? new Load(client, "/v1/me", Rate);
        await load.Run(end.Token);
        return load;
    }

    private static async Task<List<string>> Make(Stack stack, int count) =>
        [.. (await stack.Control(HttpMethod.Post, "/control/endpoints:bulk", new { accounts = _accounts, count })).GetProperty("endpoints")
            .EnumerateArray().Select(each => each.GetProperty("vpceId").GetString()!)];

    /// <summary>15 % within six seconds, besides the 5 % whose decisions fail.</summary>
    private static async Task ChangeConnections(Stack stack)
    {
        for (var i = 0; i < 10; i++)
        {
            await stack.Control(HttpMethod.Post, "/control/endpoints:delete", new { share = 0.005, seed = 10 + i });
            await stack.Control(
                HttpMethod.Post, "/control/endpoints:recreate",
                new { share = 0.005, seed = 20 + i, owner = _accounts[i % 2 == 0 ? i : ^(i + 1)] });
            await stack.Control(
                HttpMethod.Post, "/control/endpoints:put",
                new
                {
                    share = 0.005, seed = 30 + i, state = i % 2 == 0 ? "rejected" : "failed",
                    states = new[] { "available", "pendingAcceptance" }
                });
            await Task.Delay(600);
        }
    }

    /// <summary>Waits until this number of connections was seen and none of them is in transition.</summary>
    private static async Task Until(Stack stack, int seen, TimeSpan most)
    {
        var quiet = 0;
        await Eventually.Holds(
            async () =>
            {
                var open = await stack.Value<long>(
                    """
                    select count(*) from onboarding.endpoint_connection c
                    where missed = 0 and lower(state) in ('pendingacceptance', 'pending')
                    """);
                var stored = await stack.Value<long>("select count(*) from onboarding.endpoint_connection");
                quiet = stored >= seen && open == 0 && await Compare(stack) is (0, 0, _) ? quiet + 1 : 0;
                return quiet == 3;
            },
            "all connections to be decided", within: most);
    }

    /// <summary>Numbers of wrong, missing and correct bindings by the simulator's own state.</summary>
    private static async Task<(int Wrong, int Missing, int Bound)> Compare(Stack stack)
    {
        var truth = (await stack.Control(HttpMethod.Get, "/control/endpoints")).EnumerateArray()
            .ToDictionary(
                each => each.GetProperty("vpceId").GetString()!,
                each => (Account: each.GetProperty("account").GetString()!, State: each.GetProperty("state").GetString()!));
        var bound = new Dictionary<string, string>(StringComparer.Ordinal);
        await using var command = stack.Database.CreateCommand(
            """
            select b.endpoint_id, t.name from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.ended_at is null and t.name <> 'customer'
            """);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            bound.Add(reader.GetString(0), reader.GetString(1));
        }

        var tenants = _accounts[..Tenants].ToHashSet(StringComparer.Ordinal);
        var wrong = bound.Count(each => !truth.TryGetValue(each.Key, out var is_) || is_.State != "available" || is_.Account != each.Value);
        var missing =
            truth.Count(each => each.Value.State == "available" && tenants.Contains(each.Value.Account) && !bound.ContainsKey(each.Key));
        return (wrong, missing, bound.Count);
    }
}
