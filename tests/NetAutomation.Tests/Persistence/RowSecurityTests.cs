using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

/// <summary>
/// PostgreSQL's catalogue says what a session of one tenant (role <c>na_app</c>) can reach: privileges, policies, views, functions. It is
/// held to the tenant, or it is on the list below.
/// </summary>
public sealed class RowSecurityTests(PostgresServer postgres)
{
    private const string General = "00000000-0000-0000-0000-000000000000";

    /// <summary>Read by every tenant as it is, with the reason.</summary>
    private static readonly Dictionary<string, string> _same = new(StringComparer.Ordinal)
    {
        ["web.schema_version"] = "the version of the schema; read at the start of a process",
        ["web.schema_migration"] = "names and hashes of the migrations; read at the start of a process",
        ["content.file"] = "files of published blocks and platforms, which belong to the provider",
        ["platforms.platform_version"] = "the provider's platforms",
        ["catalog.block"] = "the provider's blocks",
        ["catalog.block_version"] = "the provider's blocks",
        ["web.limit_default"] = "what every tenant may have",
        ["runs.run_state"] = "words of the state machine",
        ["runs.legal_transition"] = "words of the state machine",
    };

    // A policy compares a column, of whatever name, with the session's tenant; it may let rows through that are nobody's.
    private const string Faults =
        """
        with app as (select oid from pg_roles where rolname = 'na_app'),
        tenant (text) as (values ($$( SELECT (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid AS "nullif")$$)),
        nobody (text) as (values ($$'00000000-0000-0000-0000-000000000000'::uuid$$)),
        allowed (text) as (
          select format('(COLUMN = %s)', t.text) from tenant t
          union all select format('(COLUMN = ANY (ARRAY[%s, %s]))', n.text, t.text) from tenant t, nobody n),
        relation as (
          select c.*, n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace, app
          where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            and case when c.relkind = 'S' then has_sequence_privilege(app.oid, c.oid, 'select, usage, update')
                     when c.relkind in ('r', 'p', 'v', 'm', 'f') then has_any_column_privilege(app.oid, c.oid, 'select, insert, update')
                       or has_table_privilege(app.oid, c.oid, 'delete, truncate, references, trigger') end),
        policy as (
          select p.polrelid, p.polname, expression
          from pg_policy p, app,
            lateral (values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid))) as e (expression)
          where p.polpermissive and (0 = any (p.polroles) or app.oid = any (p.polroles)) and expression is not null)
        select name, 'its rows are not held to a tenant' from relation
        where relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)
        union all
        select name, 'it reads as its owner' from relation
        where relkind = 'v' and not coalesce('security_invoker=true' = any (reloptions), false)
        union all
        select name, 'it has no policies' from relation where relkind in ('m', 'f', 'S')
        union all
        select name, 'no policy holds for this right' from relation, app
        where has_table_privilege(app.oid, relation.oid, 'truncate, references, trigger')
        union all
        select name, format('policy %s: %s', polname, expression) from relation join policy on polrelid = relation.oid
        where not exists (select from allowed where text = regexp_replace(expression, '^\(\w+ ', '(COLUMN '))
        union all
        select n.nspname || '.' || p.proname, 'it runs as its owner' from pg_proc p join pg_namespace n on n.oid = p.pronamespace, app
        where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') and has_function_privilege(app.oid, p.oid, 'execute')
        union all
        select 'na_app', 'a superuser, a member of a role or not bound by policies' from pg_roles r
        where rolname = 'na_app' and (rolsuper or rolbypassrls or exists (select from pg_auth_members m where m.member = r.oid))
        union all
        select 'na_app', 'owns something' from pg_shdepend, app
        where deptype = 'o' and refclassid = 'pg_authid'::regclass and refobjid = app.oid
        """;

    [Fact]
    public async Task Everything_that_a_session_of_a_tenant_can_reach_is_held_to_the_tenant_or_on_the_list()
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        var faults = await Read(source);
        faults.Where(fault => !_same.ContainsKey(fault.Name)).ShouldBeEmpty();
        _same.Keys.Except(faults.Select(fault => fault.Name)).ShouldBeEmpty("on the list without need");
    }

    [Fact]
    public async Task Whatever_is_not_held_to_a_tenant_is_found()
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        const string Mine = "(select nullif(current_setting('app.tenant', true), '')::uuid)";
        await source.Execute(
            $"""
            create schema planted;
            create table planted.bare (owner uuid); grant select on planted.bare to na_app;
            create table planted.one_column (owner uuid, secret text); grant select (secret) on planted.one_column to na_app;
            create table planted.written (owner uuid); grant insert on planted.written to na_app;
            create table planted.everybody (owner uuid); grant select on planted.everybody to public;
            create table planted.not_forced (owner uuid); grant select on planted.not_forced to na_app;
            alter table planted.not_forced enable row level security;
            create table planted.emptied (tenant_id uuid, id uuid); call web.tenant_table('planted.emptied', 'truncate', '');
            create table planted.open (tenant_id uuid, id uuid); call web.tenant_table('planted.open', 'select', '');
            create policy wide on planted.open for select using (true);
            create table planted.checked (tenant_id uuid, id uuid); call web.tenant_table('planted.checked', 'insert', '');
            create policy wide on planted.checked for insert to na_app with check (true);
            create view planted.as_owner as select * from planted.open; grant select on planted.as_owner to na_app;
            create materialized view planted.kept as select 1 as n; grant select on planted.kept to na_app;
            create sequence planted.counter; grant usage on planted.counter to na_app;
            create function planted.lends() returns int language sql security definer as 'select 1';
            create table planted.held (buyer uuid); grant select on planted.held to na_app;
            alter table planted.held enable row level security; alter table planted.held force row level security;
            create policy one on planted.held for select to na_app using (buyer = {Mine});
            create view planted.as_caller with (security_invoker = true) as select * from planted.held;
            grant select on planted.as_caller to na_app;
            create table planted.unreachable (owner uuid)
            """);
        (await Read(source)).Select(fault => fault.Name).Where(name => name.StartsWith("planted.", StringComparison.Ordinal)).ShouldBe(
            ["planted.bare", "planted.one_column", "planted.written", "planted.everybody", "planted.not_forced", "planted.emptied",
                "planted.open", "planted.checked", "planted.as_owner", "planted.kept", "planted.counter", "planted.lends"],
            ignoreOrder: true);
    }

    [Fact]
    public async Task Price_that_was_agreed_is_read_by_its_tenant_alone()
    {
        var database = await postgres.CreateEmpty();
        var (mine, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await using (var owner = NpgsqlDataSource.Create(database.Owner))
        {
            foreach (var scope in new[] { Guid.Parse(General), mine, other })
            {
                await owner.Execute(
                    """
                    insert into billing.price_version (id, sku, scope, currency, unit_micros, valid)
                    values (gen_random_uuid(), 'x/apply/run', $1, 'USD', 1, tstzrange(now(), null))
                    """,
                    scope);
            }
        }

        await using var source = NpgsqlDataSource.Create(database.App);
        (await Scopes(source, $"{mine}")).ShouldBe([Guid.Parse(General), mine], ignoreOrder: true);
        (await Scopes(source, $"{other}")).ShouldBe([Guid.Parse(General), other], ignoreOrder: true);
        (await Scopes(source, "")).ShouldBe([Guid.Parse(General)]);
    }

    private static async Task<List<Guid>> Scopes(NpgsqlDataSource source, string tenant)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(
            $"select set_config('app.tenant', '{tenant}', false); select scope from billing.price_version", connection);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.NextResultAsync();
        var scopes = new List<Guid>();
        while (await reader.ReadAsync())
        {
            scopes.Add(reader.GetGuid(0));
        }

        return scopes;
    }

    private static async Task<List<(string Name, string Fault)>> Read(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand(Faults);
        await using var reader = await command.ExecuteReaderAsync();
        var faults = new List<(string, string)>();
        while (await reader.ReadAsync())
        {
            faults.Add((reader.GetString(0), reader.GetString(1)));
        }

        return faults;
    }
}
