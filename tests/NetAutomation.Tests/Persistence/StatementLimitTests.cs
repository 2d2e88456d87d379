using System.Net;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

/// <summary>Statements and locks of the service's roles end by themselves, and the client learns why.</summary>
public sealed class StatementLimitTests(PostgresServer postgres)
{
    [Fact]
    public async Task Each_role_has_its_longest_statement_lock_and_idle_transaction()
    {
        var database = await postgres.Create();
        (await Settings(database.App)).ShouldBe($"{StatementLimit.App.TotalSeconds}s {StatementLimit.Lock.TotalSeconds}s 30s");
        (await Settings(database.System)).ShouldBe("5min 30s 1min");
    }

    [Fact]
    public async Task A_statement_that_takes_too_long_is_refused_where_it_was_asked_for_and_may_be_tried_again_elsewhere()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database with { App = $"{database.App};Options=-c statement_timeout=2s -c lock_timeout=0" }, ["Roles:1=api"]);
        var (tenant, other) = (await host.CreateTenant(), await host.CreateTenant());
        await using var held = await Locked(database, "inventory.device");

        var (asked, all) = (tenant.Client.Call("GET", "/v1/devices?selector=role"), tenant.Client.GetAsync(Relative("/v1/devices")));
        (await other.Client.Call("GET", "/v1/sites")).Must(HttpStatusCode.OK);
        var refused = (await asked).Must(HttpStatusCode.UnprocessableEntity);
        refused.Problem.ShouldBe("too_costly");
        refused.Json.GetProperty("limit").GetString().ShouldBe("statement_seconds");
        using var answer = await all;
        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        answer.Headers.RetryAfter!.Delta.ShouldBe(StatementLimit.App);
        await held.DisposeAsync();
        (await tenant.Client.Call("GET", "/v1/devices?selector=role")).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_statement_that_waits_too_long_for_a_lock_may_be_tried_again_and_is_counted()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database with { App = $"{database.App};Options=-c lock_timeout=500ms" }, ["Roles:1=api"]);
        using var cancelled = new MetricCounts(host, "netautomation.database.cancelled");
        var tenant = await host.CreateTenant();
        await using (await Locked(database, "inventory.device"))
        {
            // A GET with a query, too: nothing that was asked for is to blame.
            using var answer = await tenant.Client.GetAsync(Relative("/v1/devices?selector=role"));
            answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            answer.Headers.RetryAfter!.Delta.ShouldBe(StatementLimit.Lock);
            cancelled[""].ShouldBe(1);
        }

        (await tenant.Client.Call("GET", "/v1/devices?selector=role")).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_export_that_had_a_longer_time_names_that_time()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database with { App = $"{database.App};Options=-c lock_timeout=0" }, ["Roles:1=api"]);
        var tenant = await host.CreateTenant();
        await using var held = await Locked(database, "billing.charge");
        var export = tenant.Client.Call("GET", "/v1/usage/focus.csv?month=2026-10");
        await using var source = NpgsqlDataSource.Create(database.Owner);
        // It is ended as its time would end it.
        await Eventually.Holds(async () =>
        {
            await using var cancel = source.CreateCommand(
                """
                select count(pg_cancel_backend(pid)) = 1 from pg_stat_activity
                where datname = current_database() and usename = 'na_app' and wait_event_type = 'Lock'
                """);
            return (bool)(await cancel.ExecuteScalarAsync())!;
        });
        var refused = (await export).Must(HttpStatusCode.UnprocessableEntity);
        (refused.Json.GetProperty("limit").GetString(), refused.Json.GetProperty("max").GetInt32()).ShouldBe(("statement_seconds", 120));
    }

    /// <summary>Holds a table until it is disposed.</summary>
    private static async Task<NpgsqlConnection> Locked(TestDatabase database, string table)
    {
        var connection = new NpgsqlConnection($"{database.Owner};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"begin; lock table {table} in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    private static Uri Relative(string path) => new(path, UriKind.Relative);

    private static async Task<string> Settings(string connection)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(
            """
            select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
                             current_setting('idle_in_transaction_session_timeout'))
            """);
        return (string)(await command.ExecuteScalarAsync())!;
    }
}
