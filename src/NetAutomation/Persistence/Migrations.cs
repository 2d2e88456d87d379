using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// The schema as plain SQL files (docs/decisions/0002-schema-in-sql.md). Migrations make the tables: applied in name order, each once and
/// in its own transaction. A function has one file, which holds its current body and the triggers that call it: applied after the tables,
/// and again whenever its text changes.
///
/// During a change of version, processes of two versions run on one schema. A migration leaves all in place that the version before uses;
/// one that takes something away says so in its first line, <c>-- Contract: 1.2.0</c>: the oldest version that can run with it.
/// </summary>
internal static partial class Migrations
{
    private const string VersionMigration = "migration 0300_schema_version";
    private static readonly Script[] _migrations = Read("Migrations", "migration");
    private static readonly Script[] _functions = Read("Functions", "function");
    private static readonly int[] _version = Numbers(typeof(Migrations).Assembly.GetName().Version!.ToString(3));

    /// <summary>Applies the scripts that are missing or have changed, as the owner of the schema. Returns their names.</summary>
    /// <exception cref="InvalidOperationException">The database cannot become what the files say.</exception>
    public static async Task<IReadOnlyList<string>> Apply(string ownerConnection, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(ownerConnection);
        await using var connection = await source.OpenConnectionAsync(cancel);
        await Run(connection, $"select pg_advisory_lock({(long)AdvisoryLock.Migrate})", cancel);
        await Run(
            connection,
            """
            create schema if not exists web;
            create table if not exists web.schema_migration (
              name text primary key, sha256 text not null, applied_at timestamptz not null default now());
            """,
            cancel);
        var known = await Known(connection, cancel);
        if (_migrations.FirstOrDefault(
            migration => known.TryGetValue(migration.Name, out var hash) && hash != migration.Hash) is { } changed)
        {
            throw new InvalidOperationException($"The {changed.Name} changed after it was applied.");
        }

        if (known.Keys.FirstOrDefault(name => name.StartsWith("migration ", StringComparison.Ordinal)
            && !_migrations.Any(migration => migration.Name == name)) is { } unknown)
        {
            throw new InvalidOperationException($"The database has {unknown}, which this version does not know.");
        }

        if (await Versions(connection, known, cancel) is { Version: var newer } && Compare(newer, _version) > 0)
        {
            throw new InvalidOperationException($"The database is of version {Text(newer)}, and this is {Text(_version)}.");
        }

        Script[] migrations = [.. _migrations.Where(migration => !known.ContainsKey(migration.Name))];
        if (known.ContainsKey(VersionMigration))
        {
            // Before the first change: processes that run would take one of an unknown version for a fault.
            await WriteVersion(connection, migrations, cancel);
        }

        foreach (var migration in migrations)
        {
            await using var own = await connection.BeginTransactionAsync(cancel);
            await Apply(connection, migration, cancel);
            await own.CommitAsync(cancel);
        }

        Script[] functions = [.. _functions.Where(function => known.GetValueOrDefault(function.Name) != function.Hash)];
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // A function may call one whose file comes later.
        await Run(connection, "set local check_function_bodies = off", cancel);
        foreach (var function in functions)
        {
            await Apply(connection, function, cancel);
        }

        await CompareFunctions(connection, cancel);
        await WriteLimits(connection, cancel);
        await WriteVersion(connection, migrations, cancel);
        await transaction.CommitAsync(cancel);
        return [.. migrations.Concat(functions).Select(script => script.Name)];
    }

    /// <summary>
    /// Null where the database has the schema that this binary knows, or that of a later version which allows this one; else what to do
    /// about it.
    /// </summary>
    public static async Task<string?> Mismatch(NpgsqlDataSource source, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        var known = await Known(connection, cancel);
        var versions = await Versions(connection, known, cancel);
        var later = versions is { Version: var newest } && Compare(newest, _version) > 0;
        if (versions is { Oldest: var oldest } && Compare(oldest, _version) > 0)
        {
            return $"The database needs version {Text(oldest)} of the service or a later one; this is {Text(_version)}.";
        }

        // Functions of a later version do what those of the version before did.
        foreach (var script in later ? _migrations : _migrations.Concat(_functions))
        {
            if (!known.Remove(script.Name, out var hash) || hash != script.Hash)
            {
                return hash is null ? $"The database lacks {script.Name}: run the migrate verb."
                    : $"The database has another text of {script.Name} than this version: run the migrate verb.";
            }
        }

        return !later && known.Keys.FirstOrDefault() is { } unknown
            ? $"The database has {unknown}, which this version does not know." : null;
    }

    // In the schemas of the product every function has a file and one signature. A migration drops functions and signatures that go.
    private static async Task CompareFunctions(NpgsqlConnection connection, CancellationToken cancel)
    {
        string[] names = [.. _functions.Select(function => function.Name)];
        await using var compare = Command(
            connection,
            """
            with known as (
              select name from web.schema_migration where name like 'function %'),
            present as (
              select 'function ' || n.nspname || '.' || p.proname as name, count(*) as signatures
              from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in (select split_part(split_part(name, ' ', 2), '.', 1) from known) group by 1)
            select case when present.name is null then 'The database lost ' || wanted.name
              when wanted.name is null then present.name || ' has no file: a migration has to drop it'
              else present.name || ' has two signatures: a migration has to drop the old one' end
            from unnest($1::text[]) wanted (name) full join present on present.name = wanted.name
            where wanted.name is null or present.signatures is distinct from 1 limit 1
            """,
            [names]);
        if (await compare.ExecuteScalarAsync(cancel) is string fault)
        {
            throw new InvalidOperationException($"{fault}.");
        }

        await Run(connection, "delete from web.schema_migration where name like 'function %' and name <> all ($1)", cancel, [names]);
    }

    /// <summary>The triggers that count read the defaults, whose one place is <see cref="Limits"/>.</summary>
    private static async Task WriteLimits(NpgsqlConnection connection, CancellationToken cancel)
    {
        string[] names = [.. Limits.All.Select(limit => limit.Name)];
        long[] most = [.. Limits.All.Select(limit => limit.Default)];
        await Run(
            connection,
            """
            insert into web.limit_default (name, max) select * from unnest($1::text[], $2::bigint[])
            on conflict (name) do update set max = excluded.max
            """,
            cancel, names, most);
        await Run(connection, "delete from web.limit_default where name <> all ($1)", cancel, [names]);
    }

    private static async Task Apply(NpgsqlConnection connection, Script script, CancellationToken cancel)
    {
        // As psql includes files: for a function that a table needs.
        var sql = Include()
            .Replace(script.Sql, match => _functions.Single(function => function.Name == $"function {match.Groups["name"].Value}").Sql);
        await Run(connection, sql, cancel);
        await Run(
            connection,
            """
            insert into web.schema_migration (name, sha256) values ($1, $2)
            on conflict (name) do update set sha256 = excluded.sha256, applied_at = now()
            """,
            cancel, script.Name, script.Hash);
    }

    private static async Task<Dictionary<string, string>> Known(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("select name, sha256 from web.schema_migration", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancel))
        {
            known[reader.GetString(0)] = reader.GetString(1);
        }

        return known;
    }

    private static Task WriteVersion(NpgsqlConnection connection, Script[] migrations, CancellationToken cancel) => Run(
        connection, "update web.schema_version set version = $1, oldest = greatest(oldest, $2::int[])", cancel, _version,
        migrations.Select(migration => migration.Oldest).Aggregate(Array.Empty<int>(), (a, b) => Compare(a, b) > 0 ? a : b));

    /// <summary>Null before the migration that keeps them.</summary>
    private static async Task<(int[] Version, int[] Oldest)?> Versions(
        NpgsqlConnection connection, Dictionary<string, string> known, CancellationToken cancel)
    {
        if (!known.ContainsKey(VersionMigration))
        {
            return null;
        }

        await using var command = new NpgsqlCommand("select version, oldest from web.schema_version", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return (await reader.GetFieldValueAsync<int[]>(0, cancel), await reader.GetFieldValueAsync<int[]>(1, cancel));
    }

    private static int[] Numbers(string version) =>
        [.. version.Split('.').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];

    private static string Text(int[] version) => string.Join('.', version);

    // As PostgreSQL compares arrays.
    private static int Compare(int[] one, int[] other) => one.AsSpan().SequenceCompareTo(other);

    private static async Task Run(NpgsqlConnection connection, string sql, CancellationToken cancel, params object[] values)
    {
        await using var command = Command(connection, sql, values);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, object[] values)
    {
        var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(Array.ConvertAll(values, value => new NpgsqlParameter { Value = value }));
        return command;
    }

    private static Script[] Read(string folder, string kind)
    {
        var assembly = Assembly.GetExecutingAssembly();
        var prefix = $"{typeof(Migrations).Namespace}.{folder}.";
        return [
            .. assembly.GetManifestResourceNames().Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal).Select(name =>
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            return new Script($"{kind} {name[prefix.Length..^".sql".Length]}", reader.ReadToEnd());
        })];
    }

    [GeneratedRegex(@"^\\ir \.\./Functions/(?<name>[a-z_.]+)\.sql$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Include();

    [GeneratedRegex(@"\A-- Contract: (?<version>[0-9]+\.[0-9]+\.[0-9]+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Contract();

    private sealed record Script(string Name, string Sql)
    {
        /// <summary>The oldest version that can run with it; empty where each can that ran before.</summary>
        public int[] Oldest { get; } =
            Contract().Match(Sql) is { Success: true } match ? Numbers(match.Groups["version"].Value) : [];

        public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql)));
    }
}
