using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Connectors;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

public sealed class PeerDialTests(PostgresServer postgres)
{
    [Fact]
    public async Task Codes_of_the_connector_come_through()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var closed = new TestDevice();
        var port = closed.Port;
        closed.Dispose();
        await fixture.A.Attach($"127.0.0.1/32 {port}");
        var dial = fixture.A.Dial(fixture.Device);
        (await fixture.Code(dial with { Port = port })).ShouldBe(DialCodes.Refused);
        var refused = await fixture.Dialler.Dial(dial, TimeSpan.FromSeconds(5), default);
        refused.Code.ShouldBe(DialCodes.NotAllowed);
        refused.Detail.ShouldBe((await fixture.A.Dialler.Dial(dial, TimeSpan.FromSeconds(5), default)).Detail);
    }

    [Fact]
    public async Task Connector_is_absent_only_where_no_replica_holds_a_live_link_of_the_site()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var dial = fixture.A.Dial(fixture.Device);
        (await fixture.Code(dial)).ShouldBe(DialCodes.ConnectorAbsent);
        (await fixture.Dialler.HasLink(dial.Tenant, dial.Site, default)).ShouldBeFalse();
        await fixture.A.Attach(fixture.Device.Allowed);
        (await fixture.Dialler.HasLink(dial.Tenant, dial.Site, default)).ShouldBeTrue();
        (await fixture.Code(dial with { Site = SiteId.New() })).ShouldBe(DialCodes.ConnectorAbsent);
        (await fixture.Code(dial with { Tenant = TenantId.New() })).ShouldBe(DialCodes.ConnectorAbsent);
        (await fixture.Code(dial)).ShouldBeNull();
        fixture.Relay.Dispose();
        (await fixture.Code(dial)).ShouldBe(DialCodes.NoReplica);
    }

    [Fact]
    public async Task Session_not_seen_for_a_minute_is_not_live()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        await fixture.A.Sql<Guid>("update connectors.connector_session set seen_at = now() - interval '61 seconds' returning id");
        (await fixture.Code(fixture.A.Dial(fixture.Device))).ShouldBe(DialCodes.ConnectorAbsent);
    }

    [Fact]
    public async Task Owner_of_the_link_asks_its_own_gate()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        fixture.A.Gate.Open = false;
        (await fixture.Code(fixture.A.Dial(fixture.Device, RunId.New(), 5))).ShouldBe(DialCodes.Fenced);
        (await fixture.Code(fixture.A.Dial(fixture.Device, run: null, fence: 5, exclusive: true))).ShouldBe(DialCodes.Held);
    }

    [Fact]
    public async Task Dial_outside_a_run_keeps_its_fence_on_the_way_to_the_owner_of_the_link()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var id = DeviceId.New();
        await (await fixture.Open(fixture.A.Dial(fixture.Device, RunId.New(), 5, exclusive: true, id))).DisposeAsync();
        (await fixture.Code(fixture.A.Dial(fixture.Device, id: id))).ShouldBe(DialCodes.Held);
        fixture.A.Gate.Fence = 5;
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device, id: id));
    }

    [Fact]
    public async Task Raised_fence_reaches_the_connectors_of_other_replicas()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var other = await fixture.A.StartReplica(new KeyValuePair<string, string?>("Connectors:Listener", "127.0.0.1:0"));
        var there = await fixture.A.Attach(fixture.Device.Allowed);
        var here = await fixture.A.Attach(fixture.Device.Allowed, replica: other);
        var id = DeviceId.New();
        var result = await other.Services.GetRequiredService<DeviceDialler>()
            .Dial(fixture.A.Dial(fixture.Device, RunId.New(), 7, exclusive: true, id), TimeSpan.FromSeconds(10), default);
        await using var stream = result.Stream.ShouldNotBeNull();
        here.Tunnels.Count.ShouldBe(1);
        await Eventually.Holds(() =>
        {
            var (tunnel, code) = there.Tunnels.Enter(new Dial("x", $"{id}", "h", 1, null, 6, false, 1), new object(), 1);
            if (tunnel is not null)
            {
                there.Tunnels.Leave(tunnel);
            }

            return code == DialCodes.Fenced;
        });
    }

    [Fact]
    public async Task Permits_keep_a_run_alive_until_they_stop()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var connector = await fixture.A.Attach(fixture.Device.Allowed, clock);
        var run = RunId.New();
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device, run, 1));
        using var socket = await fixture.Device.Accept();
        for (var i = 0; i < 3; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(20));
            await fixture.Peers.Permit(fixture.A.Tenant, run, 1);
            // The answer comes after the permit on the same link, so the permit has arrived.
            (await fixture.Confirm(RunId.New(), 1)).ShouldBeTrue();
        }

        connector.Tunnels.Count.ShouldBe(1);
        await stream.WriteAsync("alive"u8.ToArray());
        (await socket.ReceiveAsync(new byte[5])).ShouldBe(5);
        clock.Advance(TimeSpan.FromSeconds(26));
        await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task Permit_reaches_the_connectors_of_other_replicas()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var run = RunId.New();
        await using var stream = await fixture.A.Open(fixture.A.Dial(fixture.Device, run, 1));
        fixture.Dialler.Permit(fixture.A.Tenant, run, 2);
        await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task Confirmed_run_has_no_stream_on_any_replica_and_gets_none()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var connector = await fixture.A.Attach(fixture.Device.Allowed);
        var run = RunId.New();
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device, run, 3));
        await using var other = await fixture.Open(fixture.A.Dial(fixture.Device, RunId.New(), 3));
        (await fixture.Confirm(run, 3)).ShouldBeTrue();
        connector.Tunnels.Count.ShouldBe(1);
        await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1]));
        (await fixture.Code(fixture.A.Dial(fixture.Device, run, 3))).ShouldBe(DialCodes.Fenced);
    }

    [Fact]
    public async Task Replica_that_does_not_answer_leaves_a_run_unconfirmed()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var run = RunId.New();
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device, run, 3));
        (await fixture.Confirm(RunId.New(), 3)).ShouldBeTrue();
        fixture.Relay.Dispose();
        (await fixture.Confirm(run, 3)).ShouldBeFalse();
        // Not even when its row is old: the link was used a moment ago.
        await fixture.A.Sql<Guid>(
            "update connectors.connector_session set state = 'closed', seen_at = now() - interval '1 hour' returning id");
        (await fixture.Confirm(run, 3)).ShouldBeFalse();
        (await fixture.Confirm(RunId.New(), 3)).ShouldBeTrue();
    }

    [Fact]
    public async Task Session_that_its_replica_does_not_know_leaves_a_run_unconfirmed()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var connector = await fixture.A.Attach(fixture.Device.Allowed);
        await fixture.A.Sql<Guid>(
            $"""
            insert into connectors.connector_session (tenant_id, id, connector_id, replica, replica_url)
            values ('{fixture.A.Tenant.Value}', '{Guid.NewGuid()}', '{connector.Id.Value}', 'before', '{fixture.Relay.Url}') returning id
            """);
        (await fixture.Confirm(RunId.New(), 1)).ShouldBeFalse();
        await fixture.A.Sql<Guid>(
            "update connectors.connector_session set seen_at = now() - interval '91 seconds' where replica = 'before' returning id");
        (await fixture.Confirm(RunId.New(), 1)).ShouldBeTrue();
    }

    [Fact]
    public async Task Dial_that_dies_with_its_replica_is_tried_at_another()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var full =
            await fixture.A.Attach(
                fixture.Device.Allowed, limits: new NetAutomation.Connector.DeviceLimits(1, 100, 100, TimeProvider.System));
        await using var first = await fixture.Open(fixture.A.Dial(fixture.Device));
        var other = await fixture.A.StartReplica(new KeyValuePair<string, string?>("Connectors:Listener", "127.0.0.1:0"));
        var free = await fixture.A.Attach(fixture.Device.Allowed, replica: other);
        // The dial waits at the first connector for a free place at the device; then its replica is lost.
        var dialling = fixture.Dialler.Dial(fixture.A.Dial(fixture.Device), TimeSpan.FromSeconds(10), default);
        await Eventually.Holds(() => full.Tunnels.Count == 2 || free.Tunnels.Count == 1);
        fixture.Relay.Dispose();
        var result = await dialling;
        await using var stream = result.Stream.ShouldNotBeNull(result.Code);
        free.Tunnels.Count.ShouldBe(1);
        await Eventually.Holds(() => full.Tunnels.Count == 0);
    }
}
