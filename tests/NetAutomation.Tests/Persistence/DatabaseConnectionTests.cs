using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;
using NetAutomation.Web;
using NetAutomation.Web.Rates;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

/// <summary>How the callers of a process share the connections of the database.</summary>
public sealed class DatabaseConnectionTests(PostgresServer postgres)
{
    [Fact]
    public async Task Tenants_that_take_all_connections_they_can_leave_some_for_others_for_connectors_and_for_loops()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database with { App = $"{database.App};Maximum Pool Size=16;Timeout=3" }, ["Roles:1=api", "Rates:ConnectionWaitSeconds=60"]);
        TestTenant[] greedy = [await host.CreateTenant(), await host.CreateTenant(), await host.CreateTenant()];
        var other = await host.CreateTenant();
        using var connector = host.ClientOf(Listener.Connector, ProxyV2.Header(other.EndpointId), null);
        (connector.DefaultRequestVersion, connector.DefaultVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        List<Task<Answer>> held;
        await using (var connection = await owner.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using (var command = new NpgsqlCommand("lock table inventory.site in share mode", connection))
            {
                await command.ExecuteNonQueryAsync();
            }

            held = [.. greedy.SelectMany(tenant => Enumerable.Range(0, 10).Select(
                number => tenant.Client.Call("POST", "/v1/sites", new { name = $"held{number}" })))];
            // Of the 12 for requests, three tenants get 9 to 11.
            await Eventually.Holds(() => Used(host, greedy) >= 9, within: TimeSpan.FromSeconds(60));
            (await other.Client.Call("GET", "/v1/audit")).Must(HttpStatusCode.OK);
            (await Prove(connector)).ShouldBe(HttpStatusCode.Unauthorized);
            await using var scope = host.Services.CreateAsyncScope();
            var loop = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
            (await loop.QueryAs<int>(other.Id, $"select 1 as one", CancellationToken.None)).ShouldBe([1]);
            held.ShouldAllBe(each => !each.IsCompleted);
            await transaction.CommitAsync();
        }

        (await Task.WhenAll(held)).ShouldAllBe(answer => answer.Status == HttpStatusCode.Created);
        await Eventually.Holds(() => Used(host, greedy) == 0);
    }

    [Fact]
    public async Task Those_who_wait_and_those_who_give_up_lose_no_connection()
    {
        const int All = 12;
        var share = new DatabaseShare(All);
        var budgets = Enumerable.Range(0, 6).Select(_ => new DatabaseBudget(5, Eventually.Limit, share)).ToList();
        using var left = new CancellationTokenSource();
        var (held, most) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 600).Select(number => Task.Run(async () =>
        {
            var budget = budgets[number % budgets.Count];
            try
            {
                await budget.Take(number % 3 == 0 ? left.Token : default);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            InterlockedMax(ref most, Interlocked.Increment(ref held));
            await Task.Yield();
            if (number == 300)
            {
                await left.CancelAsync();
            }

            Interlocked.Decrement(ref held);
            budget.Return();
        })));
        most.ShouldBeInRange(1, All);
        budgets.ShouldAllBe(budget => budget.Used == 0);
        var alone = new DatabaseBudget(All, TimeSpan.FromMilliseconds(1), share);
        for (var taken = 0; taken < All / 2; taken++)
        {
            await alone.Take(default);
        }

        (await Should.ThrowAsync<NoConnectionException>(async () => await alone.Take(default))).OfTenant.ShouldBeFalse();
    }

    private static int Used(ServiceHost host, IEnumerable<TestTenant> tenants) =>
        tenants.Sum(tenant => host.Services.GetRequiredService<RateLimits>().UseOf(tenant.Id).Connections.Used);

    private static async Task<HttpStatusCode> Prove(HttpClient connector)
    {
        using (var challenge = await connector.GetAsync(TunnelProtocol.ChallengePath))
        {
            challenge.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.CheckPath)
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers =
            {
                { TunnelProtocol.VersionHeader, $"{TunnelProtocol.Version}" }, { TunnelProtocol.ConnectorHeader, $"{ConnectorId.New()}" },
            },
        };
        using var answer = await connector.SendAsync(request);
        return answer.StatusCode;
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, value, seen);
        }
    }
}
