using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>A run to add to the queue.</summary>
/// <param name="Age">The age; among runs of one priority the oldest comes first.</param>
internal sealed record WaitingRun(IReadOnlyList<DeviceId> Devices, bool Writes = true, int Priority = 0, TimeSpan Age = default)
{
    public RunId Id { get; } = RunId.New();
}

/// <summary>Adds many runs to the queue at once: copies of one run that the API accepted, with its reservations.</summary>
internal static class WaitingRuns
{
    public static async Task Queue(this RunFixture fixture, TestTenantRun template, params IReadOnlyCollection<WaitingRun> runs)
    {
        await using var connection = new NpgsqlConnection(fixture.Database.Owner);
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Guid[] ids = [.. runs.Select(run => run.Id.Value)];
        await using (var command = new NpgsqlCommand(
            """
            create temp table copies on commit drop as
              select gen_random_uuid() as quote, c.* from unnest($1, $2, $3, $4) as c (run, mode, priority, age);
            """,
            connection))
        {
            command.Parameters.Add(new() { Value = ids });
            command.Parameters.Add(new() { Value = runs.Select(run => run.Writes ? "apply" : "check").ToArray() });
            command.Parameters.Add(new() { Value = runs.Select(run => run.Priority).ToArray() });
            command.Parameters.Add(new() { Value = runs.Select(run => run.Age).ToArray() });
            await command.ExecuteNonQueryAsync();
        }

        await Copy("runs.quote", template, "id = x.quote_id", "'id', c.quote");
        await Copy("billing.reservation", template, "run_id = x.id", "'id', gen_random_uuid(), 'run_id', c.run");
        await Copy(
            "runs.run", template, "id = x.id",
            """
            'id', c.run, 'quote_id', c.quote, 'mode', c.mode, 'priority', c.priority, 'created_at', now() - c.age, 'state', 'queued',
            'terminal', false, 'finished_at', null, 'charged_micros', null, 'final_seq', null, 'transition', 1, 'last_seq', 1
            """);
        await Copy("runs.run_transition", template, "run_id = x.id and o.seq = 1", "'run_id', c.run");
        await Copy("runs.run_event", template, "run_id = x.id and o.seq = 1", "'run_id', c.run");
        await using (var devices = new NpgsqlCommand(
            """
            insert into runs.run_device (tenant_id, run_id, device_id, position, name, site_id)
            select d.tenant_id, t.run, d.id, row_number() over (partition by t.run), d.name, d.site_id
            from unnest($1, $2) as t (run, device) join inventory.device d on d.id = t.device
            """,
            connection))
        {
            devices.Parameters.Add(new() { Value = runs.SelectMany(run => run.Devices.Select(_ => run.Id.Value)).ToArray() });
            devices.Parameters.Add(new() { Value = runs.SelectMany(run => run.Devices.Select(device => device.Value)).ToArray() });
            await devices.ExecuteNonQueryAsync();
        }

        await transaction.CommitAsync();

        async Task Copy(string table, TestTenantRun from, string rows, string changes)
        {
            await using var columns = new NpgsqlCommand(
                """
                select string_agg(quote_ident(attname), ', ') from pg_attribute
                where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
                """, connection);
            columns.Parameters.Add(new() { Value = table });
            var names = (string)(await columns.ExecuteScalarAsync())!;
            var picked = string.Join(", ", names.Split(", ").Select(name => $"n.{name}"));
            await using var copy = new NpgsqlCommand(
                $"""
                insert into {table} ({names})
                select {picked} from runs.run x join {table} o on o.tenant_id = x.tenant_id and o.{rows} cross join copies c
                cross join lateral jsonb_populate_record(o, jsonb_build_object({changes})) n
                where x.tenant_id = $1 and x.id = $2
                """,
                connection);
            copy.Parameters.Add(new() { Value = from.Tenant.Value });
            copy.Parameters.Add(new() { Value = from.Run.Value });
            await copy.ExecuteNonQueryAsync();
        }
    }
}

/// <summary>A tenant's run that serves as the template of copies.</summary>
internal sealed record TestTenantRun(TenantId Tenant, RunId Run);
