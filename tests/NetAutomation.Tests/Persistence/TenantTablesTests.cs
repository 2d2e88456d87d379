using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class TenantTablesTests(PostgresServer postgres)
{
    /// <summary>Columns of mapped tables that only SQL reads and writes.</summary>
    private static readonly string[] _written =
    [
        "inventory.device_password.since", "inventory.tenant_key.created_at", "runs.maintenance_window.extend_at",
        "runs.maintenance_window.known_until",
    ];

    [Fact]
    public async Task Every_table_with_a_tenant_has_forced_row_level_security_and_a_tenant_key()
    {
        var database = await postgres.Create();
        await using var source = NpgsqlDataSource.Create(database.Owner);
        await using var command = source.CreateCommand(
            """
            select format('%s.%s: rls %s, forced %s, policies %s, tenant in primary key %s', n.nspname, c.relname, c.relrowsecurity,
                          c.relforcerowsecurity,
                          (select count(*) from pg_policy p where p.polrelid = c.oid),
                          exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)))
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
            where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')
              and not (c.relrowsecurity and c.relforcerowsecurity and (select count(*) from pg_policy p where p.polrelid = c.oid) = 2
                       and exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)))
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var faults = new List<string>();
        while (await reader.ReadAsync())
        {
            faults.Add(reader.GetString(0));
        }

        faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_column_of_a_mapped_table_is_mapped()
    {
        var database = await postgres.Create();
        await using var db = new NetAutomationDb(
            new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(database.Owner).UseSnakeCaseNamingConvention()
                .AddInterceptors(DeferredStatements.Interceptor).Options);
        var tables = db.GetService<IDesignTimeModel>().Model.GetRelationalModel().Tables.ToList();
        var mapped = tables.SelectMany(table => table.Columns.Select(column => $"{table.Schema}.{table.Name}.{column.Name}")).ToList();
        var names = tables.Select(table => $"{table.Schema}.{table.Name}").ToArray();
        var columns = await db.Query<string>(
            $"""
            select format('%s.%s.%s', table_schema, table_name, column_name) from information_schema.columns
            where table_schema || '.' || table_name = any ({names})
            """);
        columns.Except(mapped).Except(_written).ShouldBeEmpty("a column that no entity has");
        mapped.Except(columns).ShouldBeEmpty("a member that no table has");
        _written.Except(columns).ShouldBeEmpty("an exception without a column");
    }

    [Fact]
    public async Task A_tenant_sees_and_writes_its_own_rows_only()
    {
        var database = await postgres.Create();
        var (mine, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await using var source = NpgsqlDataSource.Create(database.App);
        await Insert(source, mine, mine);
        (await Count(source, mine)).ShouldBe(1);
        (await Count(source, other)).ShouldBe(0);
        (await Count(source, null)).ShouldBe(0);
        (await Should.ThrowAsync<PostgresException>(() => Insert(source, mine, other))).SqlState.ShouldBe(
            PostgresErrorCodes.InsufficientPrivilege);
    }

    [Fact]
    public async Task An_append_only_table_refuses_change_even_by_its_owner()
    {
        var database = await postgres.Create();
        var mine = Guid.CreateVersion7();
        await using var app = NpgsqlDataSource.Create(database.App);
        await Insert(app, mine, mine);
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        foreach (var sql in new[] { "update web.audit_event set action = 'x'", "delete from web.audit_event", "truncate web.audit_event" })
        {
            await using var command = owner.CreateCommand(sql);
            (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).SqlState.ShouldBe("23001");
        }
    }

    private static async Task Insert(NpgsqlDataSource source, Guid session, Guid row)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await SetTenant(connection, session);
        await using var command = new NpgsqlCommand(
            """
            insert into web.audit_event (tenant_id, id, principal, member, action, subject, data)
            values ($1, gen_random_uuid(), 'p', 'm', 'a', 's', '{}')
            """,
            connection);
        command.Parameters.Add(new() { Value = row });
        await command.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    private static async Task<long> Count(NpgsqlDataSource source, Guid? tenant)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (tenant is { } id)
        {
            await SetTenant(connection, id);
        }

        await using var command = new NpgsqlCommand("select count(*) from web.audit_event", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task SetTenant(NpgsqlConnection connection, Guid tenant)
    {
        await using var command = new NpgsqlCommand("select set_config('app.tenant', $1, true)", connection);
        command.Parameters.Add(new() { Value = tenant.ToString() });
        await command.ExecuteNonQueryAsync();
    }
}
