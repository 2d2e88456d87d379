using NetAutomation.Tests.Fleet;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class RolePasswordTests(PostgresServer postgres)
{
    [Fact]
    public async Task Migration_sets_passwords_by_which_the_roles_log_in_and_which_the_server_never_reads()
    {
        var database = await postgres.CreateEmpty();
        var (app, system) = ($"A{Guid.NewGuid():n}", $"S{Guid.NewGuid():n}");
        // The roles are everybody's, so only logins to this database ask for a password.
        await using var owner = new NpgsqlConnection($"{database.Owner};Pooling=false");
        await owner.OpenAsync();
        var rules = await Show(owner, "hba_file");
        var name = owner.Database;
        var before = await File.ReadAllTextAsync(rules);
        await File.WriteAllTextAsync(rules, $"local {name} na_app,na_system scram-sha-256\n{before}");
        await Show(owner, "pg_reload_conf()", "select");
        await Eventually.Holds(async () => !await LogsIn(database.App));
        // The server has read it, and may be used by later runs.
        await File.WriteAllTextAsync(rules, before);

        using var migration = new ServiceProcess(
            "/usr/bin/env",
            [
                $"Database__AppPassword={app}", $"Database__SystemPassword={system}",
                $"Database__Owner={database.Owner};Options=-c log_statement=all", ServiceProcess.ProgramPath("NetAutomation"), "migrate",
            ]);
        await Eventually.Holds(() => Task.FromResult(migration.IsOver));

        migration.Output.ShouldContain("set the password of na_app");
        foreach (var (role, password, other) in new[] { (database.App, app, system), (database.System, system, app) })
        {
            (await LogsIn($"{role};Password={password}")).ShouldBeTrue(migration.Output);
            (await LogsIn($"{role};Password={other}")).ShouldBeFalse();
        }

        await using var log = new FileStream(
            $"{await Show(owner, "data_directory")}/server.log", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(log);
        var lines = await reader.ReadToEndAsync();
        lines.ShouldContain("alter role na_app password 'SCRAM-SHA-256$");
        lines.ShouldNotContain(app);
        lines.ShouldNotContain(system);
        migration.Output.ShouldNotContain(app);
    }

    private static async Task<bool> LogsIn(string connection)
    {
        try
        {
            await using var source = NpgsqlDataSource.Create($"{connection};Pooling=false");
            await using var open = await source.OpenConnectionAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static async Task<string> Show(NpgsqlConnection connection, string what, string verb = "show")
    {
        await using var command = new NpgsqlCommand($"{verb} {what}", connection);
        return $"{await command.ExecuteScalarAsync()}";
    }
}
