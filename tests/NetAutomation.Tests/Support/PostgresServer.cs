using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Catalog.Publish;
using NetAutomation.Persistence;
using NetAutomation.Platforms.Publish;
using NetAutomation.Tests.Support;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace NetAutomation.Tests.Support;

/// <summary>
/// One private PostgreSQL for the test run: the server that NETAUTOMATION_TEST_PG names (a socket folder), or one that
/// deploy/local/postgres starts. It holds a migrated database as a template, and another that holds our blocks and platforms too.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private readonly string _template = $"t_{Guid.NewGuid():n}";
    private readonly SemaphoreSlim _copying = new(1);
    private string _socket = "";
    private int _copies;

    public async ValueTask InitializeAsync()
    {
        _socket = Environment.GetEnvironmentVariable("NETAUTOMATION_TEST_PG") ?? await StartServer();
        // A worker of autovacuum visits each database once in that time. With hundreds of them the usual minute takes half a processor.
        await Admin("alter system set autovacuum_naptime = '1h'");
        await Admin("select pg_reload_conf()");
        await Admin($"create database {Empty}");
        await Migrations.Apply(Connection(Empty, "postgres"), CancellationToken.None);
        NpgsqlConnection.ClearAllPools();
        await Admin($"create database {_template} template {Empty}");
        (await Publish(Database(_template), $"{RepositoryRoot()}/src/Blocks")).ShouldBeEmpty();
        NpgsqlConnection.ClearAllPools();
    }

    /// <summary>A fresh database with our blocks and platforms.</summary>
    public Task<TestDatabase> Create() => Copy(_template);

    /// <summary>A fresh database without content.</summary>
    public Task<TestDatabase> CreateEmpty() => Copy(Empty);

    /// <summary>Publishes our platforms and these blocks. Returns why folders were refused.</summary>
    public static async Task<IReadOnlyList<string>> Publish(TestDatabase database, string blocks)
    {
        await using var db = new SystemDb(
            new DbContextOptionsBuilder<SystemDb>().UseNpgsql(database.System).UseSnakeCaseNamingConvention()
                .AddInterceptors(DeferredStatements.Interceptor).Options);
        await using var transaction = await db.Database.BeginTransactionAsync();
        var platforms = await PlatformPublisher.Publish(db, $"{RepositoryRoot()}/src/Platforms", CancellationToken.None);
        string[] refusals = [.. platforms, .. await BlockPublisher.Publish(db, blocks, CancellationToken.None)];
        await transaction.CommitAsync();
        return refusals;
    }

    private string Empty => $"{_template}_empty";

    private async Task<TestDatabase> Copy(string template)
    {
        await _copying.WaitAsync();
        try
        {
            var name = $"{_template}_{++_copies}";
            await Admin($"create database {name} template {template}");
            return Database(name);
        }
        finally
        {
            _copying.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        for (var i = 1; i <= _copies; i++)
        {
            await Admin($"drop database if exists {_template}_{i} with (force)");
        }

        await Admin($"drop database if exists {_template} with (force)");
        await Admin($"drop database if exists {Empty} with (force)");
        _copying.Dispose();
    }

    private TestDatabase Database(string name) =>
        new(Connection(name, "postgres"), Connection(name, "na_app"), Connection(name, "na_system"));

    private string Connection(string database, string role) =>
        $"Host={_socket};Username={role};Database={database};Maximum Pool Size=20;Include Error Detail=true";

    private async Task Admin(string sql)
    {
        await using var connection = new NpgsqlConnection(Connection("postgres", "postgres") + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<string> StartServer()
    {
        var root = RepositoryRoot();
        var start = new ProcessStartInfo(Path.Combine(root, "deploy/local/postgres"), ["start", Path.Combine(root, ".local/test-pg")])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { ["NETAUTOMATION_PG_UNSAFE"] = "1" },
        };
        using var process = Process.Start(start)!;
        var socket = (await process.StandardOutput.ReadLineAsync())!;
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0);
        return socket;
    }

    public static string RepositoryRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "NetAutomation.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Not inside the repository.");
        }

        return folder;
    }
}

/// <summary>Connection strings of one database, one per role.</summary>
public sealed record TestDatabase(string Owner, string App, string System);
