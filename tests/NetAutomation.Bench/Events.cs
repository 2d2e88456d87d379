using System.Diagnostics;
using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace NetAutomation.Bench;

/// <summary>
/// Events of eight runs at once, written as a worker writes them: spool, recorder, journal, table; counted when the last is acknowledged.
/// All must be stored in order and numbered without gaps. The reference is COPY of the same rows into a table without partitions, policies
/// and foreign keys.
/// </summary>
internal static class Events
{
    private const int Customers = 8;
    private const string OutputLine = "changed: [r0001] => (item=10.9.0.0/16 via 10.66.0.1) in the running configuration";
    private const int Each = 5_000;
    private const int Batch = 256;
    private static readonly int[] _more = [1_000_000, 3_000_000];
    private const double Limit = 10_000;

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("events: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var customers = await Customer.CreateWithDevices(stack, Customers, 1);
        var queues = new List<Copies>();
        foreach (var customer in customers)
        {
            await customer.Post("/v1/runs", customer.Run(mode: "check"));
            queues.Add(
                await Copies.Of(
                    stack, customer.Tenant, await stack.Value<Guid>("select id from runs.run where tenant_id = $1", customer.Tenant)));
        }

        await using var product = new Product(stack);
        var (written, warm) = (0L, await product.ClaimAll(1));
        await stack.Sql("create table public.bare (like runs.run_event, primary key (tenant_id, run_id, run_day, seq))");
        await using var source = NpgsqlDataSource.Create(stack.Owner);
        await Record();
        var rounds = await Rounds.Measure("events", stack.Parts.Rounds, ("events", Record), ("copy", Copy));
        var large = new List<KeyValuePair<string, object>>();
        foreach (var more in _more)
        {
            var rows = await Fill(stack, warm[0], more);
            var full =
                await Rounds.Measure($"events in a table of {rows}", Math.Min(3, stack.Parts.Rounds), ("events", Record), ("copy", Copy));
            large.AddRange(
                [new($"inTableOf{rows}", Math.Round(full.Median("events"))),
                    new($"ratioInTableOf{rows}", Math.Round(full.Ratio("events", "copy"), 2))]);
        }

        var (lost, wrong) = (
            written - await stack.Value<long>("select count(*) from runs.run_event where data ? 'n'"),
            await stack.Value<long>(
                """
                select count(*) from (
                  select seq, row_number() over w as place, (data ->> 'n')::int as n, lag((data ->> 'n')::int) over w as before
                  from runs.run_event
                  where not data ? 'old' window w as (partition by tenant_id, run_id order by seq)) e
                where seq <> place or n is not null and n <> coalesce(before + 1, 0)
                """));
        return new Result("events", rounds.Median("events") >= Limit && lost == 0 && wrong == 0,
        [
            new("median", Math.Round(rounds.Median("events"))),
            new("unit", "events/s"),
            new("limit", Limit),
            new("written", written),
            new("lost", lost),
            new("outOfPlace", wrong),
            new("reference", "COPY of the same rows"),
            new("referenceMedian", Math.Round(rounds.Median("copy"))),
            new("ratio", Math.Round(rounds.Ratio("events", "copy"), 2)),
            new("spread", rounds.Spread("events", "copy")),
            .. large,
            new("noise", rounds.Noise),
        ]);

        async Task<double> Record()
        {
            foreach (var queue in queues)
            {
                await queue.Queue(stack, 1);
            }

            var runs = await product.ClaimAll(1);
            foreach (var run in runs)
            {
                await product.Start(run);
            }

            var begun = Stopwatch.GetTimestamp();
            await Task.WhenAll(runs.Select(run => Task.Run(async () =>
            {
                using var recorder = product.Record(run);
                for (var n = 0; n < Each; n++)
                {
                    await recorder.Add(new(DateTimeOffset.UtcNow, "output", run.Devices[0].Id, Data(n)));
                }

                if (!await recorder.Flush())
                {
                    throw new InvalidOperationException("Events were refused.");
                }
            })));
            var rate = runs.Count * Each / Stopwatch.GetElapsedTime(begun).TotalSeconds;
            written += runs.Count * Each;
            return rate;
        }

        async Task<double> Copy()
        {
            var begun = Stopwatch.GetTimestamp();
            await Task.WhenAll(customers.Select(customer => Task.Run(async () =>
            {
                await using var connection = await source.OpenConnectionAsync();
                var (run, device, day) = (Guid.NewGuid(), Guid.NewGuid(), DateOnly.FromDateTime(DateTime.UtcNow));
                for (var n = 0; n < Each;)
                {
                    await using var copy = await connection.BeginBinaryImportAsync(
                        """
                        copy public.bare (tenant_id, run_id, run_day, seq, time, type, attempt, device_id, data) from stdin (format binary)
                        """);
                    for (var end = Math.Min(Each, n + Batch); n < end; n++)
                    {
                        await copy.StartRowAsync();
                        await copy.WriteAsync(customer.Tenant);
                        await copy.WriteAsync(run);
                        await copy.WriteAsync(day);
                        await copy.WriteAsync(n + 1L);
                        await copy.WriteAsync(DateTime.UtcNow, NpgsqlDbType.TimestampTz);
                        await copy.WriteAsync("output");
                        await copy.WriteAsync(1);
                        await copy.WriteAsync(device);
                        await copy.WriteAsync(Data(n), NpgsqlDbType.Jsonb);
                    }

                    await copy.CompleteAsync();
                }
            })));
            return customers.Count * Each / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }

        static string Data(int n) => string.Create(
            CultureInfo.InvariantCulture, $$"""{"n":{{n}},"task":"Make static routes present","line":"{{OutputLine}}"}""");
    }

    /// <summary>
    /// Adds very many events to an earlier run, without the checks that cost time; returns the number of events in the table afterwards.
    /// </summary>
    private static async Task<long> Fill(Stack stack, Runs.ClaimedRun run, int count)
    {
        await using var connection = await stack.Database.OpenConnectionAsync();
        await using var fill = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new("set session_replication_role = replica"),
                new(
                    """
                    insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
                    select tenant_id, id, created_day, 1000 + $3 + n, 'output', 1, jsonb_build_object('old', n, 'line', repeat('x', 100))
                    from runs.run cross join generate_series(1, $3) n where tenant_id = $1 and id = $2
                    """) { Parameters = { new() { Value = run.Tenant.Value }, new() { Value = run.Id.Value }, new() { Value = count } } },
            },
            Timeout = 300,
        };
        await fill.ExecuteNonQueryAsync();
        return await stack.Value<long>("select count(*) from runs.run_event");
    }
}
