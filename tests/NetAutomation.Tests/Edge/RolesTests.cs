using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

public sealed class RolesTests(PostgresServer postgres)
{
    [Fact]
    public async Task Process_without_the_api_listens_for_peers_alone_and_has_its_health_there()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:0=scheduler", "Edge:Listeners:Peer=127.0.0.1:0"]);
        foreach (var listener in Enum.GetValues<Listener>().Except([Listener.Peer]))
        {
            Should.Throw<KeyNotFoundException>(() => host.Address(listener));
        }

        using var client = host.ClientOf(Listener.Peer, [], null);
        (await client.GetStringAsync("/healthz/live")).ShouldBe("live");
        (await client.GetStringAsync("/healthz/ready")).ShouldBe("ready");
        foreach (var path in new[] { "/healthz/live", "/healthz/ready", "/metrics" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, path);
            using var head = await client.SendAsync(request);
            head.StatusCode.ShouldBe(HttpStatusCode.OK, path);
            (await head.Content.ReadAsByteArrayAsync()).ShouldBeEmpty(path);
        }

        using var denied = await client.GetAsync("/v1/me");
        denied.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        Loops(host).ShouldBe(
        [
            "billing.close-books", "billing.report-usage", "connectors.heartbeat", "edge.close-unbound", "execution.end-tests",
            "execution.forget-tests", "history.forget", "inventory.rewrap-keys", "purchasing.renew-rentals", "purchasing.sync-contracts",
            "runs.drop-events", "runs.expire", "runs.forget-plans", "runs.forget-quotes", "runs.make-partitions", "runs.measure-queue",
            "runs.refresh-windows", "runs.reopen", "runs.rescue",
            "scheduling.fire", "scheduling.forget", "scheduling.note", "tenants.confirm-contracts", "tenants.offboard",
            "tenants.suspend-refused", "tenants.sweep-events", "web.lead",
        ]);
    }

    [Fact]
    public async Task Process_without_the_scheduler_has_only_the_loops_of_its_connections()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api"]);
        Loops(host).ShouldBe(["connectors.heartbeat", "edge.close-unbound"]);
        Should.Throw<KeyNotFoundException>(() => host.Address(Listener.Peer));
    }

    [Fact]
    public async Task Unknown_role_is_refused_at_start()
    {
        var database = await postgres.Create();
        (await Should.ThrowAsync<InvalidOperationException>(() => ServiceHost.Start(database, ["Roles:0=wroker"]))).Message.ShouldContain(
            "'wroker'");
    }

    [Fact]
    public async Task Worker_without_the_api_needs_a_way_to_its_peers()
    {
        var database = await postgres.Create();
        (await Should.ThrowAsync<OptionsValidationException>(
            () => ServiceHost.Start(database, ["Roles:0=worker", "Edge:Listeners:Peer=127.0.0.1:0"])))
            .Message.ShouldContain("Peer:ClusterKeyFile");
    }

    [Fact]
    public async Task Loops_that_follow_aws_are_there_where_it_is_configured()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ServiceHost.FollowingAws);
        new[] { "connections.notifications", "connections.reconcile", "tenants.events" }.ShouldBeSubsetOf(Loops(host));
    }

    private static List<string> Loops(ServiceHost host) =>
        [.. host.Services.GetRequiredService<NetAutomation.Web.Loops.LoopRegistry>().All.Select(loop => loop.Name)
            .Order(StringComparer.Ordinal)];
}
