using System.Net;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class LongTransactionTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_request_whose_transaction_takes_too_long_is_rolled_back_at_its_next_statement()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(database, ["Roles:1=api", "Database:TransactionSeconds=1"]);
        var tenant = await host.CreateTenant();
        (await tenant.Client.Call("POST", "/v1/sites", new { name = "before" })).Must(HttpStatusCode.Created);
        await using var source = NpgsqlDataSource.Create(database.Owner);
        Task<Answer> answer;
        await using (var connection = await source.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using var holds = new NpgsqlCommand("lock table inventory.site in exclusive mode", connection);
            await holds.ExecuteNonQueryAsync();
            answer = tenant.Client.Call("POST", "/v1/sites", new { name = "late" });
            // It waits in a statement, which may take longer than the transaction.
            await Eventually.Holds(() => source.Value<bool>(
                """
                select exists (select from pg_stat_activity
                  where datname = current_database() and usename = 'na_app' and wait_event_type = 'Lock'
                    and xact_start < clock_timestamp() - interval '1.1 seconds')
                """));
        }

        var late = (await answer).Must(HttpStatusCode.ServiceUnavailable);
        late.Problem.ShouldBe("unavailable");
        late.Json.GetProperty("detail").GetString().ShouldNotBeNull().ShouldContain("more than 1 seconds");
        (await source.Value<long>("select count(*) from inventory.site where name = 'late'")).ShouldBe(0);
        (await tenant.Client.Call("POST", "/v1/sites", new { name = "late" })).Must(HttpStatusCode.Created);
    }
}
