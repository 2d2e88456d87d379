using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class MigrationsTests(PostgresServer postgres)
{
    private const string Stub =
        "create or replace function runs.release_known(p_tenant uuid, p_run uuid) returns void language sql as 'select null::void'";
    private const string Triggers =
        "select string_agg(pg_get_triggerdef(oid), '; ' order by tgrelid, tgname) from pg_trigger where not tgisinternal";

    [Fact]
    public async Task Schema_that_is_current_matches_and_takes_nothing()
    {
        await using var schema = await Schema.Of(postgres);
        (await schema.Mismatch()).ShouldBeNull();
        (await schema.Apply()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Function_whose_text_changed_is_refused_at_start_and_applied_again()
    {
        await using var schema = await Schema.Of(postgres);
        var body = await schema.Value("select prosrc from pg_proc where oid = 'runs.release_known'::regproc");
        await schema.Run($"{Stub}; update web.schema_migration set sha256 = 'of the stub' where name = 'function runs.release_known'");
        (await schema.Mismatch())
            .ShouldBe("The database has another text of function runs.release_known than this version: run the migrate verb.");
        (await schema.Apply()).ShouldBe(["function runs.release_known"]);
        (await schema.Value("select prosrc from pg_proc where oid = 'runs.release_known'::regproc")).ShouldBe(body);
        (await schema.Mismatch()).ShouldBeNull();
    }

    [Fact]
    public async Task Function_with_triggers_is_applied_again_with_them()
    {
        await using var schema = await Schema.Of(postgres);
        var before = await schema.Value(Triggers);
        await schema.Run(
            "drop trigger freed on runs.device_hold; update web.schema_migration set sha256 = '' where name like 'function %'");
        (await schema.Apply()).ShouldContain("function runs.devices_freed");
        (await schema.Value(Triggers)).ShouldBe(before);
    }

    [Fact]
    public async Task Function_whose_file_is_gone_is_noticed_until_a_migration_drops_it()
    {
        await using var schema = await Schema.Of(postgres);
        await schema.Run(
            """
            create function runs.gone() returns void language sql as 'select null::void';
            insert into web.schema_migration values ('function runs.gone', '')
            """);
        (await schema.Mismatch()).ShouldBe("The database has function runs.gone, which this version does not know.");
        (await Should.ThrowAsync<InvalidOperationException>(schema.Apply)).Message.ShouldBe(
            "function runs.gone has no file: a migration has to drop it.");
        await schema.Run("drop function runs.gone()");
        (await schema.Apply()).ShouldBeEmpty();
        (await schema.Mismatch()).ShouldBeNull();
    }

    [Theory]
    [InlineData("create function runs.release_known(p_tenant uuid) returns void language sql as 'select null::void'", "has two signatures")]
    [InlineData("drop function runs.release_known(uuid, uuid)", "The database lost function runs.release_known")]
    public async Task Function_that_is_there_twice_or_not_at_all_is_noticed(string change, string fault)
    {
        await using var schema = await Schema.Of(postgres);
        await schema.Run(change);
        (await Should.ThrowAsync<InvalidOperationException>(schema.Apply)).Message.ShouldContain(fault);
    }

    [Fact]
    public async Task Schema_that_lags_or_is_ahead_is_refused()
    {
        await using var schema = await Schema.Of(postgres);
        await schema.Run("update web.schema_migration set name = 'migration 9999_later' where name = 'migration 0080_scheduling'");
        (await schema.Mismatch()).ShouldBe("The database lacks migration 0080_scheduling: run the migrate verb.");
        await schema.Run(
            """
            insert into web.schema_migration
            select 'migration 0080_scheduling', sha256 from web.schema_migration where name = 'migration 9999_later'
            """);
        (await schema.Mismatch()).ShouldBe("The database has migration 9999_later, which this version does not know.");
        (await Should.ThrowAsync<InvalidOperationException>(schema.Apply)).Message.ShouldContain("9999_later");
    }

    [Fact]
    public async Task Schema_of_a_later_version_serves_the_versions_that_it_allows()
    {
        await using var schema = await Schema.Of(postgres);
        await schema.Run(
            $$"""
            {{Stub}}; update web.schema_migration set sha256 = 'of the stub' where name = 'function runs.release_known';
            insert into web.schema_migration (name, sha256) values ('migration 9999_later', 'x'), ('function runs.later', 'x');
            update web.schema_version set version = '{99,1,0}'
            """);
        (await schema.Mismatch()).ShouldBeNull();

        await schema.Run("update web.schema_version set oldest = '{99,0,0}'");
        (await schema.Mismatch()).ShouldStartWith("The database needs version 99.0.0 of the service or a later one; this is ");
        await schema.Run("delete from web.schema_migration where name = 'migration 9999_later'");
        (await Should.ThrowAsync<InvalidOperationException>(schema.Apply)).Message
            .ShouldStartWith("The database is of version 99.1.0, and this is ");

        await schema.Run("update web.schema_version set oldest = '{0,0,0}'; delete from web.schema_migration where name like '%0290%'");
        (await schema.Mismatch()).ShouldBe("The database lacks migration 0290_wave_events: run the migrate verb.");
    }

    [Fact]
    public async Task Migration_that_changed_after_it_was_applied_is_refused()
    {
        await using var schema = await Schema.Of(postgres);
        await schema.Run("update web.schema_migration set sha256 = 'of another text' where name = 'migration 0020_catalog'");
        (await Should.ThrowAsync<InvalidOperationException>(schema.Apply)).Message.ShouldBe(
            "The migration 0020_catalog changed after it was applied.");
    }

    private sealed class Schema(string owner) : IAsyncDisposable
    {
        private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(owner);

        public static async Task<Schema> Of(PostgresServer postgres) => new((await postgres.Create()).Owner);

        public Task<IReadOnlyList<string>> Apply() => Migrations.Apply(owner, CancellationToken.None);

        public Task<string?> Mismatch() => Migrations.Mismatch(_source, CancellationToken.None);

        public async Task Run(string sql)
        {
            await using var command = _source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }

        public async Task<string> Value(string sql)
        {
            await using var command = _source.CreateCommand(sql);
            return (string)(await command.ExecuteScalarAsync())!;
        }

        public ValueTask DisposeAsync() => _source.DisposeAsync();
    }
}
