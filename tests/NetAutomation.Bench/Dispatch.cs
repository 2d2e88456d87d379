using System.Diagnostics;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// From queued to claimed, and from queued to settled without a device, by eight workers. The reference is a table that is only a queue:
/// claimed with SKIP LOCKED, then marked done.
/// </summary>
internal static class Dispatch
{
    private const int Customers = 20;
    private const int Workers = 8;

    // The number of runs that a tenant may have running at the same time.
    private const int Each = 20;

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("dispatch: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var queues = new List<Copies>();
        foreach (var customer in await Customer.CreateWithDevices(stack, Customers, 1))
        {
            await customer.Post("/v1/runs", customer.Run(mode: "check"));
            queues.Add(
                await Copies.Of(
                    stack, customer.Tenant, await stack.Value<Guid>("select id from runs.run where tenant_id = $1", customer.Tenant)));
        }

        await using var product = new Product(stack);
        await stack.Sql(
            """
            create table public.bare (
              id uuid primary key, state text not null, at timestamptz not null default clock_timestamp(), worker text)
            """);
        await stack.Sql("create index on public.bare (at) where state = 'queued'");
        await using var source = NpgsqlDataSource.Create($"{stack.Owner};Max Auto Prepare=50;Auto Prepare Min Usages=1");
        var (claimed, runs) = (0, Customers);
        foreach (var run in await product.ClaimAll(Workers))
        {
            await End(run);
        }

        var rounds = await Rounds.Measure(
            "dispatch", stack.Parts.Rounds, ("claims", Claims), ("lives", WholeRuns), ("skip locked", ClaimWithSkipLocked));
        var left = await stack.Value<long>("select count(*) from runs.run where state <> 'succeeded'");
        return new Result("dispatch", left == 0 && claimed == runs,
        [
            new("median", Math.Round(rounds.Median("claims"))),
            new("unit", "claims/s"),
            new("lives", Math.Round(rounds.Median("lives"))),
            new("reference", "SKIP LOCKED on a bare table, marked done"),
            new("referenceMedian", Math.Round(rounds.Median("skip locked"))),
            new("ratio", Math.Round(rounds.Ratio("claims", "skip locked"), 2)),
            new("spread", rounds.Spread("claims", "skip locked")),
            new("livesRatio", Math.Round(rounds.Ratio("lives", "skip locked"), 2)),
            new("runs", runs),
            new("left", left),
            new("noise", rounds.Noise),
        ]);

        async Task Fill()
        {
            foreach (var queue in queues)
            {
                runs += (await queue.Queue(stack, Each)).Length;
            }
        }

        async Task End(Runs.ClaimedRun run)
        {
            await product.Start(run);
            await product.Work(run);
            await product.Finish(run);
            Interlocked.Increment(ref claimed);
        }

        async Task<double> Claims()
        {
            await Fill();
            var begun = Stopwatch.GetTimestamp();
            var all = await product.ClaimAll(Workers);
            var rate = all.Count / Stopwatch.GetElapsedTime(begun).TotalSeconds;
            await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = Workers }, async (run, _) => await End(run));
            return rate;
        }

        async Task<double> WholeRuns()
        {
            await Fill();
            var (begun, ended) = (Stopwatch.GetTimestamp(), claimed);
            await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(async () =>
            {
                while (await product.Claim() is { } run)
                {
                    await End(run);
                }
            })));
            return (claimed - ended) / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }

        async Task<double> ClaimWithSkipLocked()
        {
            await stack.Sql(
                "insert into public.bare (id, state) select gen_random_uuid(), 'queued' from generate_series(1, $1)", Customers * Each * 4);
            var (begun, done) = (Stopwatch.GetTimestamp(), 0);
            await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(async () =>
            {
                await using var connection = await source.OpenConnectionAsync();
                await using var claim = new NpgsqlCommand(
                    """
                    update public.bare set state = 'claimed', worker = $1
                    where id = (select id from public.bare where state = 'queued' order by at limit 1 for update skip locked) returning id
                    """,
                    connection)
                { Parameters = { new() { Value = "bench" } } };
                while (await claim.ExecuteScalarAsync() is Guid id)
                {
                    await using var end =
                        new NpgsqlCommand(
                            "update public.bare set state = 'done' where id = $1", connection)
                        { Parameters = { new() { Value = id } } };
                    await end.ExecuteNonQueryAsync();
                    Interlocked.Increment(ref done);
                }
            })));
            return done / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }
    }
}
