using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Runs.Dispatch;
using NetAutomation.Runs.Windows;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>A tenant whose rows are locked has its turn the next time; what is done for all tenants goes on with the others.</summary>
public sealed class HeldLockTests(PostgresServer postgres)
{
    [Fact]
    public async Task Windows_of_the_others_are_refreshed()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await fixture.Host.CreateTenant();
        foreach (var client in new[] { fixture.Client, other.Client })
        {
            (await client.Call(
                "POST", "/v1/windows", new { name = "w", kind = "deny", cron = "0 1 * * *", duration = "PT1H", timeZone = "UTC" }))
                    .Must(HttpStatusCode.Created);
        }

        await ForEach(fixture, other, "runs.maintenance_window where known_until > now()", async () =>
        {
            await fixture.Sql("delete from runs.window_interval");
            await fixture.Sql("update runs.maintenance_window set known_until = '-infinity', extend_at = '-infinity'");
        }, scope => scope.GetRequiredService<RefreshWindows>().Sweep(default));
    }

    [Fact]
    public async Task Runs_of_the_others_are_ended_that_did_not_start_in_time()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await Other(fixture);
        await ForEach(fixture, other, "runs.run_transition where at > $1 and to_state = 'expired'", async () =>
        {
            await fixture.StartRun();
            await fixture.StartRun(client: other.Client);
            await fixture.Sql("update runs.run set start_by = now() - interval '1 second' where state = 'queued'");
        }, scope => ActivatorUtilities.CreateInstance<RunUpkeep>(scope).Expire(default));
    }

    [Fact]
    public async Task Runs_of_the_others_are_taken_from_lost_workers()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await Other(fixture);
        await ForEach(fixture, other, "runs.run_transition where at > $1 and by = 'rescue'", async () =>
        {
            await fixture.StartRun(Check(fixture));
            await fixture.StartRun(Check(fixture), other.Client);
            (await fixture.Claim()).ShouldNotBeNull();
            (await fixture.Claim()).ShouldNotBeNull();
            await fixture.Sql("update runs.run set lease_until = now() - interval '1 minute' where state = 'claimed'");
        }, scope => scope.GetRequiredService<RunQueue>().Rescue(TimeSpan.FromSeconds(5), TimeSpan.Zero, default));
    }

    private static System.Text.Json.Nodes.JsonObject Check(RunFixture fixture)
    {
        var check = System.Text.Json.JsonSerializer.SerializeToNode(fixture.Apply("10.9.0.0/16"))!.AsObject();
        check["mode"] = "check";
        return check;
    }

    private static async Task<TestTenant> Other(RunFixture fixture)
    {
        var other = await fixture.Host.CreateTenant();
        await fixture.AddDevices(other, 1);
        await fixture.Post(other.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        return other;
    }

    /// <summary>With the locks of either tenant held, the work is done for the other one, and later for both.</summary>
    /// <param name="done">Rows that are there for a tenant when the work is done; $1: when it was prepared.</param>
    private static async Task ForEach(
        RunFixture fixture, TestTenant other, string done, Func<Task> prepare, Func<IServiceProvider, Task> work)
    {
        await using var source = NpgsqlDataSource.Create(fixture.Database.Owner);
        foreach (var (held, free) in new[] { (fixture.Tenant.Id, other.Id), (other.Id, fixture.Tenant.Id) })
        {
            var since = await source.Value<DateTime>("select clock_timestamp()");
            await prepare();
            await using (var connection = await source.OpenConnectionAsync())
            {
                await using var transaction = await connection.BeginTransactionAsync();
                await using var holds = new NpgsqlCommand(
                    "select from runs.tenant_quota where tenant_id = $1 for update", connection);
                holds.Parameters.Add(new() { Value = held.Value });
                await holds.ExecuteNonQueryAsync();
                await Do(work);
                (await Done(free, since)).ShouldBeGreaterThan(0);
                (await Done(held, since)).ShouldBe(0);
            }

            await Do(work);
            (await Done(held, since)).ShouldBeGreaterThan(0);
        }

        async Task Do(Func<IServiceProvider, Task> use)
        {
            await using var scope = fixture.Host.Services.CreateAsyncScope();
            await use(scope.ServiceProvider);
        }

        Task<long> Done(TenantId tenant, DateTime since) => source.Value<long>(
            $"select count(*) from {done} and tenant_id = '{tenant.Value}' and $1::timestamptz is not null", since);
    }
}
