using System.Net;
using System.Net.Sockets;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

public sealed class DialTests(PostgresServer postgres)
{
    [Fact]
    public async Task Site_without_a_link_answers_connector_absent()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.ConnectorAbsent);
    }

    [Fact]
    public async Task Other_site_and_other_tenant_have_no_link()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        (await pair.Code(pair.Dial(device) with { Site = SiteId.New() })).ShouldBe(DialCodes.ConnectorAbsent);
        (await pair.Code(pair.Dial(device) with { Tenant = TenantId.New() })).ShouldBe(DialCodes.ConnectorAbsent);
    }

    [Fact]
    public async Task Failures_come_back_as_codes()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var closed = new TestDevice();
        var port = closed.Port;
        closed.Dispose();
        using var device = new TestDevice();
        await pair.Attach($"127.0.0.1/32 {port}");
        (await pair.Code(pair.Dial(device) with { Port = port })).ShouldBe(DialCodes.Refused);
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.NotAllowed);
        (await pair.Code(pair.Dial(device) with { Host = "no.such.host.invalid" })).ShouldBeOneOf(DialCodes.Dns, DialCodes.Timeout);
    }

    [Fact]
    public async Task Device_that_does_not_answer_is_a_timeout()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        // A listener whose backlog is full leaves further connections without an answer.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var port = ((IPEndPoint)full.LocalEndPoint!).Port;
        using var first = new TcpClient();
        await first.ConnectAsync(IPAddress.Loopback, port);
        using var device = new TestDevice();
        await pair.Attach($"127.0.0.1/32 {port}");
        var dial = pair.Dial(device) with { Port = port };
        var result = await pair.Dialler.Dial(dial, TimeSpan.FromSeconds(1), default);
        if (result.Stream is not null)
        {
            // Some kernels admit one more than the backlog.
            result = await pair.Dialler.Dial(dial, TimeSpan.FromSeconds(1), default);
        }

        result.Code.ShouldBe(DialCodes.Timeout);
    }

    [Fact]
    public async Task Run_that_does_not_hold_the_device_is_fenced_before_the_connector_is_asked()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        pair.Gate.Open = false;
        (await pair.Code(pair.Dial(device, RunId.New(), 5, exclusive: true))).ShouldBe(DialCodes.Fenced);
        (await pair.Code(pair.Dial(device, run: null, fence: 5, exclusive: true))).ShouldBe(DialCodes.Held);
        (await pair.Code(pair.Dial(device))).ShouldBeNull();
    }

    [Fact]
    public async Task Dial_outside_a_run_takes_the_highest_fence_and_ends_when_a_run_comes()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        var id = DeviceId.New();
        await using (await pair.Open(pair.Dial(device, RunId.New(), 5, exclusive: true, id)))
        {
            using var written = await device.Accept();
        }

        (await pair.Code(pair.Dial(device, id: id))).ShouldBe(DialCodes.Held, "a fence that is too low means that a run has come");
        pair.Gate.Fence = 5;
        await using var outside = await pair.Open(pair.Dial(device, id: id));
        using var socket = await device.Accept();
        await using var writer = await pair.Open(pair.Dial(device, RunId.New(), 6, exclusive: true, id));
        await Should.ThrowAsync<IOException>(async () => await outside.ReadExactlyAsync(new byte[1]));
        (await pair.Code(pair.Dial(device, id: id))).ShouldBe(DialCodes.Held);
        pair.Gate.Fence = null;
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.Held);
    }

    [Fact]
    public async Task Dial_outside_a_run_raises_no_fence_and_cuts_no_stream()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        var id = DeviceId.New();
        await using var reader = await pair.Open(pair.Dial(device, RunId.New(), 5, exclusive: false, id));
        pair.Gate.Fence = 9;
        await using var outside = await pair.Open(pair.Dial(device, id: id));
        await using var other = await pair.Open(pair.Dial(device, RunId.New(), 5, exclusive: false, id));
        connector.Tunnels.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Lower_fence_is_refused_and_an_overtaken_stream_is_reset()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        var id = DeviceId.New();
        await using var old = await pair.Open(pair.Dial(device, RunId.New(), 5, exclusive: true, id));
        using var oldSocket = await device.Accept();
        await using var next = await pair.Open(pair.Dial(device, RunId.New(), 6, exclusive: true, id));
        await Should.ThrowAsync<IOException>(async () => await old.ReadExactlyAsync(new byte[1]));
        (await pair.Code(pair.Dial(device, RunId.New(), 5, exclusive: true, id))).ShouldBe(DialCodes.Fenced);
        (await pair.Code(pair.Dial(device, RunId.New(), 5, exclusive: false, id))).ShouldBe(DialCodes.Fenced);
        await using var shared = await pair.Open(pair.Dial(device, RunId.New(), 9, exclusive: false, id));
        await using var still = await pair.Open(pair.Dial(device, RunId.New(), 6, exclusive: true, id));
    }

    [Fact]
    public async Task Raised_fence_reaches_the_other_connector_of_the_site()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (one, two) = (await pair.Attach(device.Allowed), await pair.Attach(device.Allowed));
        var id = DeviceId.New();
        await using var stream = await pair.Open(pair.Dial(device, RunId.New(), 7, exclusive: true, id));
        var other = one.Tunnels.Count == 0 ? one : two;
        await Eventually.Holds(() =>
        {
            var (tunnel, code) = other.Tunnels.Enter(new Dial("x", $"{id}", "h", 1, null, 6, false, 1), new object(), 1);
            if (tunnel is not null)
            {
                other.Tunnels.Leave(tunnel);
            }

            return code == DialCodes.Fenced;
        });
    }

    [Fact]
    public async Task Busy_or_leaving_link_is_passed_over_for_another()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (leaving, other) = (await pair.Attach(device.Allowed), await pair.Attach(device.Allowed));
        await leaving.Tunnels.Drain();
        await using var one = await pair.Open(pair.Dial(device));
        await using var two = await pair.Open(pair.Dial(device));
        other.Tunnels.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Confirmed_run_has_no_stream_and_gets_none()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        var run = RunId.New();
        var streams = new[] { await pair.Open(pair.Dial(device, run, 3)), await pair.Open(pair.Dial(device, run, 3)) };
        await using var other = await pair.Open(pair.Dial(device, RunId.New(), 3));
        (await pair.Dialler.ConfirmNoStreams(pair.Tenant, run, 3, TimeSpan.FromSeconds(10), default)).ShouldBeTrue();
        connector.Tunnels.Count.ShouldBe(1);
        (await pair.Code(pair.Dial(device, run, 3))).ShouldBe(DialCodes.Fenced);
        await using var nextAttempt = await pair.Open(pair.Dial(device, run, 4));
        Array.ForEach(streams, s => s.Dispose());
    }

    [Fact]
    public async Task Lost_link_leaves_a_run_unconfirmed()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        var run = RunId.New();
        await using var stream = await pair.Open(pair.Dial(device, run, 3));
        await connector.DisposeAsync();
        await Eventually.Holds(() => pair.Hub.All.Count == 0);
        await Eventually.Holds(() => stream.Finished.IsCompleted);
        (await pair.Dialler.ConfirmNoStreams(pair.Tenant, run, 3, TimeSpan.FromSeconds(1), default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Device_has_no_more_sessions_than_its_connector_allows()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        using var other = new TestDevice();
        await pair.Attach(
            $"{device.Allowed}\n{other.Allowed}", limits: new NetAutomation.Connector.DeviceLimits(2, 100, 100, TimeProvider.System));
        // The limit belongs to the device, whatever its name and whoever dials.
        var streams = new[] { await pair.Open(pair.Dial(device)), await pair.Open(pair.Dial(device)) };
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.Busy);
        await using var elsewhere = await pair.Open(pair.Dial(other));
        await streams[0].DisposeAsync();
        await using var next = await pair.Open(pair.Dial(device));
        await streams[1].DisposeAsync();
    }

    [Fact]
    public async Task Device_that_refuses_keeps_no_place()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var closed = new TestDevice();
        closed.Dispose();
        await pair.Attach(closed.Allowed, limits: new NetAutomation.Connector.DeviceLimits(1, 100, 100, TimeProvider.System));
        (await pair.Code(pair.Dial(closed))).ShouldBe(DialCodes.Refused);
        (await pair.Code(pair.Dial(closed))).ShouldBe(DialCodes.Refused);
    }
}
