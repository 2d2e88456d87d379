using System.Net;
using System.Net.Sockets;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

/// <summary>A service with few places: 128 in all, 12 of a tenant, 8 of an endpoint, 64 before the header, 16 of registration.</summary>
public sealed class SmallHost(PostgresServer postgres) : IAsyncLifetime
{
    public ServiceHost Host { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Host = await ServiceHost.Start(
        await postgres.Create(),
        ["Edge:MaxConnections=128", "Edge:MaxConnectionsPerTenant=12", "Edge:MaxConnectionsPerEndpoint=8", "Edge:ProofSeconds=300"]);

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

public sealed class ConnectionBudgetTests(SmallHost small, PostgresServer postgres) : IClassFixture<SmallHost>
{
    private static readonly byte[] _nothing = [];

    private ServiceHost Host => small.Host;

    [Theory]
    [InlineData(Standstill.Raw)]
    [InlineData(Standstill.Tls)]
    [InlineData(Standstill.Http2)]
    public async Task Connections_beyond_the_budget_of_their_endpoint_are_closed_and_another_tenant_is_served(Standstill stop)
    {
        var (greedy, other) = (await Host.CreateTenant(), await Host.CreateTenant());
        using var refusals = Refusals(Host);
        var open = OpenConnection.Many(8 + 5, Host.Address(Listener.Customer), ProxyV2.Header(greedy.EndpointId), stop, Host.Certificate);
        await Eventually.Holds(() => OpenConnection.EndedOf(open) == 5);
        (await other.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Answers(greedy.Client)).ShouldBeFalse();
        OpenConnection.EndedOf(open).ShouldBe(5);
        refusals["customer endpoint_full"].ShouldBeGreaterThanOrEqualTo(5);
        Array.ForEach(open, each => each.Dispose());
        await Eventually.Holds(() => Answers(greedy.Client));
    }

    [Fact]
    public async Task Tenant_with_two_endpoints_is_held_to_the_budget_of_a_tenant()
    {
        var (greedy, other) = (await Host.CreateTenant(), await Host.CreateTenant());
        var second = $"vpce-{Random.Shared.NextInt64(1L << 60):x16}a";
        await Host.AddEndpoint(greedy, second);
        using var refusals = Refusals(Host);
        OpenConnection[] open =
        [
            .. new[] { greedy.EndpointId, second }.SelectMany(endpoint => OpenConnection.Many(
                8, Host.Address(Listener.Customer), ProxyV2.Header(endpoint), Standstill.Tls, Host.Certificate)),
        ];
        await Eventually.Holds(() => OpenConnection.EndedOf(open) == 4);
        (await Answers(other.Client)).ShouldBeTrue();
        refusals["customer tenant_full"].ShouldBeGreaterThanOrEqualTo(4);
        Array.ForEach(open, each => each.Dispose());
    }

    [Fact]
    public async Task Connections_that_never_say_whose_they_are_are_few_and_end_by_themselves()
    {
        var tenant = await Host.CreateTenant();
        (await Answers(tenant.Client)).ShouldBeTrue();
        using var refusals = Refusals(Host);
        var silent = OpenConnection.Many(64 + 4, Host.Address(Listener.Customer), _nothing, Standstill.Raw, Host.Certificate);
        await Eventually.Holds(() => OpenConnection.EndedOf(silent) >= 4);
        (await Answers(tenant.Client)).ShouldBeTrue();
        await Task.WhenAll(silent.Select(each => each.Ended)).WaitAsync(Eventually.Limit);
        refusals["customer unidentified_full"].ShouldBeGreaterThanOrEqualTo(4);
        using var late = Host.Customer(tenant.EndpointId, tenant.Key);
        (await Answers(late)).ShouldBeTrue();
        Array.ForEach(silent, each => each.Dispose());
    }

    [Fact]
    public async Task Idle_health_checks_of_the_load_balancer_take_no_place_of_a_customer()
    {
        var tenant = await Host.CreateTenant();
        var checks = OpenConnection.Many(12, Host.Address(Listener.Customer), ProxyV2.Local, Standstill.Tls, Host.Certificate);
        var open = OpenConnection.Many(
            7, Host.Address(Listener.Customer), ProxyV2.Header(tenant.EndpointId), Standstill.Tls, Host.Certificate);
        (await Answers(tenant.Client)).ShouldBeTrue();
        OpenConnection.EndedOf([.. checks, .. open]).ShouldBe(0);
        Array.ForEach([.. checks, .. open], each => each.Dispose());
    }

    [Fact]
    public async Task Registration_takes_no_place_of_the_other_listeners()
    {
        var tenant = await Host.CreateTenant();
        var open = OpenConnection.Many(16 + 50, Host.Address(Listener.Registration), _nothing, Standstill.Raw, Host.Certificate);
        await Eventually.Holds(() => OpenConnection.EndedOf(open) == 50);
        (await Answers(tenant.Client)).ShouldBeTrue();
        using var staff = Host.Operator();
        (await staff.GetAsync("/operator/v1/tenants")).StatusCode.ShouldBe(HttpStatusCode.OK);
        Array.ForEach(open, each => each.Dispose());
    }

    [Fact]
    public async Task Descriptors_of_the_reserve_are_given_to_no_connection()
    {
        var files = File.ReadLines("/proc/self/limits").Single(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        await using var host = await ServiceHost.Start(await postgres.Create(), [$"Edge:FreeDescriptors={files}"]);
        using var refusals = Refusals(host);
        var open = OpenConnection.Many(3, host.Address(Listener.Operator), _nothing, Standstill.Raw, host.Certificate);
        await Task.WhenAll(open.Select(each => each.Ended)).WaitAsync(Eventually.Limit);
        refusals["operator few_descriptors"].ShouldBeGreaterThanOrEqualTo(3);
    }

    private static async Task<bool> Answers(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync("/v1/me");
            return answer.IsSuccessStatusCode;
        }
        catch (Exception refused) when (refused is HttpRequestException or IOException or SocketException)
        {
            return false;
        }
    }

    private static MetricCounts Refusals(ServiceHost host) => new(host, "netautomation.edge.connections.refused");
}
