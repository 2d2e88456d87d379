using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// Copies the rows of a run that the API accepted, for other runs, by SQL alone: the same tables, keys and triggers, without the service's
/// code. It fills a queue, and is the reference for a launch. It keeps the rows as they are now, even if the run changes later.
/// </summary>
internal sealed class Copies
{
    private readonly List<string> _statements = [];

    private Copies()
    {
    }

    /// <param name="run">A queued run of this tenant.</param>
    public static async Task<Copies> Of(Stack stack, Guid tenant, Guid run)
    {
        var copies = new Copies();
        var of = $"o.tenant_id = '{tenant}' and o.run_id = '{run}'";
        await copies.Add(
            stack, "runs.quote",
            $"o.tenant_id = '{tenant}' and o.id = (select quote_id from runs.run where tenant_id = '{tenant}' and id = '{run}')",
            ("id", "n.quote"));
        await copies.Add(stack, "billing.reservation", of, ("id", "gen_random_uuid()"), ("run_id", "n.run"));
        await copies.Add(
            stack, "runs.run", $"o.tenant_id = '{tenant}' and o.id = '{run}'", ("id", "n.run"), ("quote_id", "n.quote"),
            ("created_at", "now()"));
        await copies.Add(stack, "runs.run_transition", $"{of} and o.seq = 1", ("run_id", "n.run"));
        await copies.Add(stack, "runs.run_event", $"{of} and o.seq = 1", ("run_id", "n.run"));
        await copies.Add(stack, "runs.run_device", of, ("run_id", "n.run"), ("device_id", "coalesce(n.device, o.device_id)"));
        var audit =
            await stack.Value<Guid>(
                "select id from web.audit_event where tenant_id = $1 and action = 'run.started' order by id limit 1", tenant);
        await copies.Add(
            stack, "web.audit_event", $"o.tenant_id = '{tenant}' and o.id = '{audit}'", ("id", "gen_random_uuid()"),
            ("subject", "n.run::text"));
        var key =
            await stack.Value<string>("select key from web.idempotency_key where tenant_id = $1 order by created_at desc limit 1", tenant);
        await copies.Add(stack, "web.idempotency_key", $"o.tenant_id = '{tenant}' and o.key = '{key}'", ("key", "n.run::text"));
        return copies;
    }

    /// <summary>One transaction in one round trip and a commit.</summary>
    /// <param name="devices">Devices in place of the first run's own, one for each copy; null keeps the first run's.</param>
    public async Task Write(NpgsqlConnection connection, Guid[] runs, Guid?[]? devices = null)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var batch = new NpgsqlBatch(connection);
        Guid[] quotes = [.. runs.Select(_ => Guid.CreateVersion7())];
        foreach (var statement in _statements)
        {
            batch.BatchCommands.Add(
                new(statement)
                {
                    Parameters =
                        { new() { Value = runs }, new() { Value = quotes }, new() { Value = devices ?? new Guid?[runs.Length] } }
                });
        }

        await batch.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    /// <summary>Adds runs to the queue that are younger than all others.</summary>
    public async Task<Guid[]> Queue(Stack stack, int count, Guid?[]? devices = null)
    {
        Guid[] runs = [.. Enumerable.Range(0, count).Select(_ => Guid.CreateVersion7())];
        await using var connection = await stack.Database.OpenConnectionAsync();
        await Write(connection, runs, devices);
        return runs;
    }

    private async Task Add(Stack stack, string table, string rows, params (string Column, string Value)[] changes)
    {
        var columns = await stack.Value<string[]>(
            """
            select array_agg(attname::text order by attnum) from pg_attribute
            where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
            """, table);
        var values = columns.Select(column => Array.Find(changes, change => change.Column == column).Value ?? $"o.{column}");
        var kept = $"public.kept_{Guid.NewGuid():n}";
        await stack.Sql($"create table {kept} as select * from {table} o where {rows}");
        _statements.Add(
            $"""
            insert into {table} ({string.Join(", ", columns)})
            select {string.Join(", ", values)} from {kept} o cross join unnest($1::uuid[], $2::uuid[], $3::uuid[]) as n (run, quote, device)
            """);
    }
}
