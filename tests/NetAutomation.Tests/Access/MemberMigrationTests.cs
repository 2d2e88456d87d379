using System.Security.Cryptography;
using System.Text;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Access;

/// <summary>Rows from before keys belonged to members, migrated by an owner that is no superuser, as row-level security binds it.</summary>
public sealed class MemberMigrationTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Owner = "people_owner";
    private const string Name = "people_before";
    private const string Before = "0190";
    private const string Include = @"\ir ../Functions/";
    private NpgsqlDataSource _admin = null!;
    private string _connection = "";

    public async ValueTask InitializeAsync()
    {
        var somewhere = new NpgsqlConnectionStringBuilder((await postgres.Create()).Owner);
        _admin = NpgsqlDataSource.Create(somewhere);
        await _admin.Execute($"create role {Owner} createrole");
        await _admin.Execute($"create database {Name} owner {Owner} template template0");
        _connection = new NpgsqlConnectionStringBuilder(somewhere.ConnectionString) { Database = Name, Options = $"-c role={Owner}" }
            .ConnectionString;
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _admin.Execute($"drop database {Name} with (force)");
        await _admin.Execute($"drop role {Owner}");
        await _admin.DisposeAsync();
    }

    [Fact]
    public async Task Members_take_the_place_of_keys_in_every_record_of_who_did_it()
    {
        await using var source = NpgsqlDataSource.Create(_connection);
        await ApplyBefore(source);
        var (tenant, now) = (Guid.CreateVersion7(), DateTimeOffset.UtcNow);
        var (first, second, admin, twin) = (Key(1), Key(2), Key(3), Key(4));
        await source.Execute(
            """
            alter table onboarding.tenant no force row level security; alter table onboarding.api_key no force row level security;
            alter table web.audit_event no force row level security; alter table scheduling.schedule no force row level security
            """);
        await source.Execute("insert into onboarding.tenant (tenant_id, name, state) values ($1, 't', 'active')", tenant);
        foreach (var (key, member, role) in new[]
        {
            (first, "anna", "operator"), (second, "anna", "operator"), (admin, "anna", "admin"), (twin, "anna (admin)", "viewer"),
        })
        {
            await source.Execute(
                """
                insert into onboarding.api_key (tenant_id, id, sha256, prefix, name, member, role)
                values ($1, $2, sha256($2::text::bytea), 'nak_', 'n', $3, $4)
                """,
                tenant, key.Value, member, role);
        }

        await source.Execute(
            """
            insert into web.audit_event (tenant_id, id, principal, member, action, subject, data)
            values ($1, gen_random_uuid(), $2, 'anna', 'a', 'x', '{}'), ($1, gen_random_uuid(), 'operator:olga', 'olga', 'a', 'x', '{}')
            """,
            tenant, $"{second}");
        await source.Execute(
            """
            insert into scheduling.schedule (
              tenant_id, id, name, cron, anchor, time_zone, run, misfire, overlap, enabled, created_by, member)
            values ($1, gen_random_uuid(), 's', '@daily', now(), 'UTC', '{}', 'skip', 'skip', false, $2, 'anna')
            """,
            tenant, second.Value);
        await source.Execute(
            """
            alter table onboarding.tenant force row level security; alter table onboarding.api_key force row level security;
            alter table web.audit_event force row level security; alter table scheduling.schedule force row level security
            """);

        await Migrations.Apply(_connection, CancellationToken.None);

        await using var all = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(_connection) { Options = "" });
        (await all.Value<string>(
            """
            select string_agg(name || '/' || role || '/' || keys, ', ' order by role) from (
              select m.name, m.role, (select count(*) from onboarding.api_key k where k.member_id = m.id) as keys
              from onboarding.member m) x
            """)).ShouldBe($"anna (admin) {admin.Value}/admin/1, anna (operator)/operator/2, anna (admin)/viewer/1");
        (await all.Value<string>("select string_agg(principal, ' ' order by principal) from web.audit_event"))
            .ShouldBe($"{new MemberId(first.Value)} operator:olga");
        (await all.Value<Guid>("select created_by from scheduling.schedule")).ShouldBe(first.Value);
        (await all.Value<long>("select count(*) from pg_class where relrowsecurity and not relforcerowsecurity")).ShouldBe(0);
        (await all.Value<long>("select count(*) from pg_trigger where tgenabled = 'D'")).ShouldBe(0);

        ApiKeyId Key(int second) => new(Guid.CreateVersion7(now.AddSeconds(second)));
    }

    /// <summary>As the version before applied them.</summary>
    private static async Task ApplyBefore(NpgsqlDataSource source)
    {
        var folder = Path.Combine(PostgresServer.RepositoryRoot(), "src/NetAutomation/Persistence");
        await source.Execute(
            "create schema web; create table web.schema_migration ("
            + "name text primary key, sha256 text not null, applied_at timestamptz not null default now())");
        foreach (var file in Directory.GetFiles($"{folder}/Migrations").Order(StringComparer.Ordinal)
            .Where(file => string.CompareOrdinal(Path.GetFileName(file), Before) < 0))
        {
            var text = await File.ReadAllTextAsync(file);
            await source.Execute(string.Join('\n', text.Split('\n').Select(line => line.StartsWith(Include, StringComparison.Ordinal)
                ? File.ReadAllText($"{folder}/Functions/{line[Include.Length..]}") : line)));
            await source.Execute(
                "insert into web.schema_migration (name, sha256) values ($1, $2)",
                $"migration {Path.GetFileNameWithoutExtension(file)}",
                Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));
        }
    }
}
