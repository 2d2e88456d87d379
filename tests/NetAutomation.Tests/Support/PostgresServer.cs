using System.Diagnostics;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace NetAutomation.Tests.Support;

/// <summary>
/// One private PostgreSQL for the test run, with a migrated template database: the server that NETAUTOMATION_TEST_PG names (a socket
/// folder), or one that deploy/local/postgres starts.
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
        await Admin($"create database {_template}");
        await Migrations.Apply(Connection(_template, "postgres"), CancellationToken.None);
        NpgsqlConnection.ClearAllPools();
    }

    /// <summary>A fresh copy of the migrated template.</summary>
    public async Task<TestDatabase> Create()
    {
        await _copying.WaitAsync();
        try
        {
            var name = $"{_template}_{++_copies}";
            await Admin($"create database {name} template {_template}");
            return new TestDatabase(Connection(name, "postgres"), Connection(name, "na_app"), Connection(name, "na_system"));
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
        _copying.Dispose();
    }

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
