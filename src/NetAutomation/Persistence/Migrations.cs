using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// The schema as plain SQL files, applied in name order, each once and in its own transaction. SQL, because row-level security,
/// exclusion and composite foreign keys, triggers and partitions are the product here (docs/decisions/0002-schema-in-sql.md).
/// </summary>
internal static class Migrations
{
    private const string Folder = "NetAutomation.Persistence.Migrations.";

    /// <summary>Applies what is missing, as the owner of the schema. Returns the names applied.</summary>
    /// <exception cref="InvalidOperationException">A file that was applied before has changed.</exception>
    public static async Task<IReadOnlyList<string>> Apply(string ownerConnection, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(ownerConnection);
        await using var connection = await source.OpenConnectionAsync(cancel);
        await Run(connection, "select pg_advisory_lock(7205759403)", cancel);
        await Run(
            connection,
            """
            create schema if not exists platform;
            create table if not exists platform.schema_migration (name text primary key, sha256 text not null, applied_at timestamptz not null default now());
            """,
            cancel);
        var known = await Known(connection, cancel);
        var applied = new List<string>();
        foreach (var (name, sql) in Files())
        {
            var hash = Hash(sql);
            if (known.TryGetValue(name, out var before))
            {
                if (before != hash)
                {
                    throw new InvalidOperationException($"Migration {name} changed after it was applied.");
                }

                continue;
            }

            await using var transaction = await connection.BeginTransactionAsync(cancel);
            await Run(connection, sql, cancel);
            await using var command = new NpgsqlCommand("insert into platform.schema_migration (name, sha256) values ($1, $2)", connection);
            command.Parameters.Add(new() { Value = name });
            command.Parameters.Add(new() { Value = hash });
            await command.ExecuteNonQueryAsync(cancel);
            await transaction.CommitAsync(cancel);
            applied.Add(name);
        }

        return applied;
    }

    /// <summary>Null where the database has exactly the schema this binary knows; else what to do about it.</summary>
    public static async Task<string?> Mismatch(NpgsqlDataSource source, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        var known = await Known(connection, cancel);
        var files = Files().ToDictionary(file => file.Name, file => Hash(file.Sql), StringComparer.Ordinal);
        if (files.Keys.FirstOrDefault(name => !known.ContainsKey(name)) is { } missing)
        {
            return $"The database lacks migration {missing}: run the migrate verb.";
        }

        return known.Keys.FirstOrDefault(name => !files.ContainsKey(name)) is { } unknown ? $"The database has migration {unknown}, which this version does not know." : null;
    }

    private static async Task<Dictionary<string, string>> Known(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("select name, sha256 from platform.schema_migration", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancel))
        {
            known[reader.GetString(0)] = reader.GetString(1);
        }

        return known;
    }

    private static async Task Run(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static string Hash(string sql) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql)));

    private static IEnumerable<(string Name, string Sql)> Files()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return (name[Folder.Length..], reader.ReadToEnd());
        }
    }
}
