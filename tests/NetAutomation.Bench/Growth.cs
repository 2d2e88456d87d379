using System.Diagnostics;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// Launches by eight customers, and claims of runs of different tenants, beside 1,000, 5,000 and 25,000 tenants, each with a purchase, a
/// device and a queued run.
/// </summary>
internal static class Growth
{
    private const int Customers = 8;
    private const int Workers = 8;
    private const int Parallel = 16;
    private static readonly int[] _sizes = [1_000, 5_000, 25_000];
    private static readonly TimeSpan _time = TimeSpan.FromSeconds(3);

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("growth: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var customers = await Customer.CreateWithDevices(stack, Customers + 1 + _sizes.Length, 1);
        var (samples, next) = (new Queue<Customer>(customers.Skip(Customers)), 0);
        Task<double> Launches() => Launch.PerSecond(Parallel, _time, async () =>
        {
            var customer = customers[Interlocked.Increment(ref next) % Customers];
            using var answer = await customer.Send("/v1/runs", customer.Run());
            answer.EnsureSuccessStatusCode();
        });

        await Launch.WarmUp(Launches, () => next);
        await using var product = new Product(stack);
        var (figures, tenants) = (new List<KeyValuePair<string, object>>(), 100);
        await Add(tenants);
        await product.ClaimAll(Workers);
        foreach (var size in _sizes)
        {
            Stack.Log($"growth: {size} tenants");
            await Add(size - tenants);
            tenants = size;
            var begun = Stopwatch.GetTimestamp();
            var claimed = await product.ClaimAll(Workers);
            figures.Add(new($"claimsWith{size}", Math.Round(claimed.Count / Stopwatch.GetElapsedTime(begun).TotalSeconds)));
            var rounds = await Rounds.Measure($"growth beside {size} tenants", stack.Parts.Rounds, ("launches", Launches));
            figures.Add(new($"launchesWith{size}", Math.Round(rounds.Median("launches"))));
            figures.Add(new($"noiseWith{size}", rounds.Noise));
        }

        return new Result("growth", true, figures);

        // Nothing claims the runs that the customers launched.
        async Task Add(int count)
        {
            await Unchecked(
                stack, "delete from runs.run where state = 'queued' and tenant_id = any ($1)",
                customers.Take(Customers).Select(customer => customer.Tenant).ToArray());
            var sample = samples.Dequeue();
            await sample.Post("/v1/runs", sample.Run());
            await Copy(stack, sample.Tenant, count);
            await stack.Sql("analyze");
        }
    }

    /// <summary>Copies the sample tenant with all its rows, except tables whose keys allow no copy.</summary>
    private static async Task Copy(Stack stack, Guid sample, int count)
    {
        var copies = await stack.Value<string[]>(
            """
            select array_agg(format(
                     'insert into %1$s (tenant_id, %2$s) overriding system value '
                     'select t, %2$s from %1$s cross join unnest($2::uuid[]) t where tenant_id = $1', c.oid::regclass, columns))
            from pg_class c cross join lateral (
                   select string_agg(quote_ident(attname), ', ') as columns
                   from (select attname from pg_attribute
                         where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '' and attname <> 'tenant_id') a) a
            where c.relkind in ('r', 'p') and not c.relispartition
              and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not exists (
                select from pg_index i where i.indrelid = c.oid and i.indisunique and not a.attnum = any (i.indkey)))
            """);
        var tenants = Enumerable.Range(0, count).Select(_ => Guid.NewGuid()).ToArray();
        foreach (var copy in copies)
        {
            await Unchecked(stack, copy, sample, tenants);
        }
    }

    private static async Task Unchecked(Stack stack, string sql, params object[] values)
    {
        await using var connection = await stack.Database.OpenConnectionAsync();
        var statement = new NpgsqlBatchCommand(sql);
        Array.ForEach(values, value => statement.Parameters.Add(new NpgsqlParameter { Value = value }));
        await using var batch =
            new NpgsqlBatch(
                connection)
            {
                BatchCommands =
                        { new("set session_replication_role = replica"), statement, new("set session_replication_role = origin") }
            };
        await batch.ExecuteNonQueryAsync();
    }
}
