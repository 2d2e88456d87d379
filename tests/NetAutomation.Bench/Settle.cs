using System.Diagnostics;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// Ends runs whose devices are all done: settlements, charges, invoice lines, usage, receipts, state, in one transaction each. The
/// reference writes the same rows by SQL alone, in one round trip and a commit.
/// </summary>
internal static class Settle
{
    private const int Customers = 10;
    private const int Each = 20;
    private const int Devices = 100;
    private const int Workers = 8;

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("settle: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        await using var product = new Product(stack);
        await using var source = NpgsqlDataSource.Create($"{stack.Owner};Max Auto Prepare=50;Auto Prepare Min Usages=1");
        var customers = await Customer.CreateWithDevices(stack, Customers, Devices);
        var small = new Dictionary<Guid, (Copies Queue, Guid Template)>();
        var large = new Dictionary<Guid, (Copies Queue, Guid Template)>();
        foreach (var customer in customers)
        {
            await stack.Sql(
                """
                insert into runs.tenant_quota (tenant_id, max_running) values ($1, 1000)
                on conflict (tenant_id) do update set max_running = 1000
                """, customer.Tenant);
            foreach (var (queue, devices) in new[] { (small, 1), (large, Devices) })
            {
                await customer.Post("/v1/runs", customer.Run(devices));
                var run = await stack.Value<Guid>("select id from runs.run where tenant_id = $1 and state = 'queued'", customer.Tenant);
                queue[customer.Tenant] = (await Copies.Of(stack, customer.Tenant, run), run);
                var claimed = (await product.Claim())!;
                await product.Start(claimed);
                await product.Work(claimed);
                await product.Finish(claimed);
            }
        }

        var rounds = await Rounds.Measure(
            "settle", stack.Parts.Rounds,
            ("settlements", () => Time(small, Each, product.Finish)),
            ("sql", () => Time(small, Each, run => WriteBySql(source, run, small[run.Tenant.Value].Template))),
            ("settlements100", () => Time(large, 1, product.Finish)),
            ("sql100", () => Time(large, 1, run => WriteBySql(source, run, large[run.Tenant.Value].Template))));
        var wrong = await stack.Value<long>(
            """
            select count(*) from runs.run r where r.state <> 'succeeded'
              or (select count(*) from billing.settlement s where s.tenant_id = r.tenant_id and s.run_id = r.id) <> 3
              or (select count(*) from billing.receipt t where t.tenant_id = r.tenant_id and t.run_id = r.id)
                 <> (select count(*) from runs.run_device d where d.tenant_id = r.tenant_id and d.run_id = r.id)
              or (select sum(c.amount_micros)
                  from billing.settlement s join billing.charge c on c.tenant_id = s.tenant_id and c.id = s.charge_id
                  where s.tenant_id = r.tenant_id and s.run_id = r.id) is distinct from r.charged_micros
            """);
        return new Result("settle", wrong == 0,
        [
            new("median", Math.Round(rounds.Median("settlements"))),
            new("unit", "settlements/s"),
            new("reference", "the same rows by SQL"),
            new("referenceMedian", Math.Round(rounds.Median("sql"))),
            new("ratio", Math.Round(rounds.Ratio("settlements", "sql"), 2)),
            new("spread", rounds.Spread("settlements", "sql")),
            new("with100Devices", Math.Round(rounds.Median("settlements100"), 1)),
            new("with100DevicesRatio", Math.Round(rounds.Ratio("settlements100", "sql100"), 2)),
            new("wrong", wrong),
            new("noise", rounds.Noise),
        ]);

        async Task<double> Time(Dictionary<Guid, (Copies Queue, Guid Template)> queues, int each, Func<Runs.ClaimedRun, Task> end)
        {
            foreach (var customer in customers)
            {
                var devices =
                    await stack.Value<Guid[]>(
                        "select array_agg(id order by name) from inventory.device where tenant_id = $1", customer.Tenant);
                await queues[customer.Tenant].Queue.Queue(stack, each, each == 1 ? null : [.. devices.Take(each).Cast<Guid?>()]);
            }

            var runs = await product.ClaimAll(1);
            foreach (var run in runs)
            {
                await product.Start(run);
                await product.Work(run);
            }

            var begun = Stopwatch.GetTimestamp();
            await Parallel.ForEachAsync(runs, new ParallelOptions { MaxDegreeOfParallelism = Workers }, async (run, _) => await end(run));
            return runs.Count / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }
    }

    /// <summary>Copies the rows that ended the template run to this run.</summary>
    private static async Task WriteBySql(NpgsqlDataSource source, Runs.ClaimedRun run, Guid template)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in _statements)
        {
            batch.BatchCommands.Add(
                new(statement)
                {
                    Parameters = { new() { Value = run.Tenant.Value }, new() { Value = template }, new() { Value = run.Id.Value } }
                });
        }

        await batch.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    private static readonly string[] _statements =
    [
        """
        insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, free_quantity, reserved_quantity,
                                        reserved_free, unit_micros, reserved_micros, amount_micros, currency, price_version_id, channel,
                                        charge_id)
        select o.tenant_id, r.id, r.run_id, o.component, o.kind, o.quantity, o.free_quantity, r.quantity, r.free_quantity, r.unit_micros,
               r.amount_micros, o.amount_micros, o.currency, o.price_version_id, o.channel,
               case when o.charge_id is not null then md5($3::uuid || o.component)::uuid end
        from billing.settlement o join billing.reservation r on r.tenant_id = o.tenant_id and r.run_id = $3 and r.component = o.component
        where o.tenant_id = $1 and o.run_id = $2
        """,
        """
        insert into billing.charge (tenant_id, id, reservation_id, sku, description, quantity, amount_micros, currency, price_version_id,
                                    channel)
        select c.tenant_id, md5($3::uuid || o.component)::uuid, r.id, c.sku, c.description, c.quantity, c.amount_micros, c.currency,
               c.price_version_id, c.channel
        from billing.settlement o join billing.charge c on c.tenant_id = o.tenant_id and c.id = o.charge_id
          join billing.reservation r on r.tenant_id = o.tenant_id and r.run_id = $3 and r.component = o.component
        where o.tenant_id = $1 and o.run_id = $2
        """,
        """
        insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
        select l.tenant_id, md5($3::uuid || o.component)::uuid, l.invoice_id, l.currency, l.amount_micros
        from billing.settlement o join billing.invoice_line l on l.tenant_id = o.tenant_id and l.charge_id = o.charge_id
        where o.tenant_id = $1 and o.run_id = $2
        """,
        """
        insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block)
        select o.tenant_id, o.source, gen_random_uuid(), $3, o.meter, null, o.quantity, o.block from billing.usage_event o
        where o.tenant_id = $1 and o.run_id = $2 and o.meter <> 'device'
        union all
        select d.tenant_id, 'runs', gen_random_uuid(), d.run_id, 'device', d.device_id, 1, 'static-routes' from runs.run_device d
        where d.tenant_id = $1 and d.run_id = $3
        """,
        """
        with h as (
          update billing.receipt_head
          set seq = seq + (select count(*) from runs.run_device where tenant_id = $1 and run_id = $3), hash = sha256(hash)
          where tenant_id = $1 returning seq)
        insert into billing.receipt (tenant_id, seq, run_id, device_id, outcome, block_digest, input_hash, diff_hash, price_micros,
                                     price_version_id, settled_at, previous_hash, hash)
        select d.tenant_id, h.seq - d.position + 1, d.run_id, d.device_id, o.outcome, o.block_digest, o.input_hash, o.diff_hash,
               o.price_micros, o.price_version_id, now(), o.hash, sha256(convert_to(d.run_id || d.name, 'UTF8'))
        from runs.run_device d cross join h cross join (select * from billing.receipt where tenant_id = $1 and run_id = $2 limit 1) o
        where d.tenant_id = $1 and d.run_id = $3
        """,
        """
        insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
        select o.tenant_id, $3, o.seq, o.from_state, o.to_state, o.fence, o.by from runs.run_transition o
        where o.tenant_id = $1 and o.run_id = $2 order by o.seq desc limit 1
        """,
        """
        insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
        select o.tenant_id, $3, r.created_day, o.seq, o.type, o.attempt, o.data from runs.run r
        join runs.run_event o on o.tenant_id = r.tenant_id and o.run_id = $2 and o.seq > r.last_seq
        where r.tenant_id = $1 and r.id = $3
        """,
        """
        update runs.run r
        set state = o.state, terminal = true, transition = o.transition, last_seq = o.last_seq, finished_at = now(),
          final_seq = o.final_seq, charged_micros = o.charged_micros
        from runs.run o where o.tenant_id = $1 and o.id = $2 and r.tenant_id = $1 and r.id = $3
        """,
        "delete from runs.device_hold where tenant_id = $1 and run_id = $3 and $2::uuid is not null",
        "update runs.tenant_quota set running = running - 1 where tenant_id = $1 and $2::uuid is not null and $3::uuid is not null",
        "update runs.attempt set ended_at = now(), ending = 'succeeded' where tenant_id = $1 and run_id = $3 and $2::uuid is not null",
    ];
}
