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
        (await Settings(database.App)).ShouldBe($"{StatementLimit.App.TotalSeconds}s 10s 30s");
        (await Settings(database.System)).ShouldBe("5min 30s 1min");
    }

    [Fact]
    public async Task A_statement_that_takes_too_long_is_refused_where_it_was_asked_for_and_may_be_tried_again_elsewhere()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database with { App = $"{database.App};Options=-c statement_timeout=2s -c lock_timeout=0" }, ["Roles:1=api"]);
        var (tenant, other) = (await host.CreateTenant(), await host.CreateTenant());
        await using var source = NpgsqlDataSource.Create(database.Owner);
        await using var locking = await source.OpenConnectionAsync();
        await using var transaction = await locking.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table inventory.device in access exclusive mode", locking))
        {
            await command.ExecuteNonQueryAsync();
        }

        var (asked, all) = (tenant.Client.Call("GET", "/v1/devices?selector=role"), tenant.Client.GetAsync(Relative("/v1/devices")));
        (await other.Client.Call("GET", "/v1/sites")).Must(HttpStatusCode.OK);
        var refused = (await asked).Must(HttpStatusCode.UnprocessableEntity);
        refused.Problem.ShouldBe("too_costly");
        refused.Json.GetProperty("limit").GetString().ShouldBe("statement_seconds");
        using var answer = await all;
        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        answer.Headers.RetryAfter!.Delta.ShouldBe(StatementLimit.App);
        await transaction.RollbackAsync();
        (await tenant.Client.Call("GET", "/v1/devices?selector=role")).Must(HttpStatusCode.OK);
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
