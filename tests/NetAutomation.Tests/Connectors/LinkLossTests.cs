using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Connectors.Links;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

/// <summary>Loss of one of several connectors, links or replicas.</summary>
public sealed class LinkLossTests(PostgresServer postgres)
{
    [Fact]
    public async Task Connectors_of_a_site_share_its_dials()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connectors =
            new[] { await pair.Attach(device.Allowed, links: 2), await pair.Attach(device.Allowed), await pair.Attach(device.Allowed) };
        var streams = new List<NetAutomation.Connectors.TunnelStream>();
        for (var i = 0; i < 12; i++)
        {
            streams.Add(await pair.Open(pair.Dial(device)));
        }

        pair.Hub.All.ShouldAllBe(link => link.Load == 3);
        connectors.Select(c => c.Tunnels.Count).ShouldBe([6, 3, 3]);
        streams.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task Killed_connector_leaves_its_site_to_the_other_and_no_stream_moves()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("process");
        var (_, state) = await pair.Join(token);
        var list = Path.Combine(pair.Folder.FullName, "allow");
        await File.WriteAllTextAsync(list, device.Allowed);
        using var process = ConnectorProcess.Start(null, "run", "--state", state, "--allow-list", list);
        await Eventually.Holds(() => pair.Hub.All.Any(l => l.Connector == id));
        await using var carried = await pair.Open(pair.Dial(device));
        using var session = await device.Accept();
        await session.SendAsync("half a transcr"u8.ToArray());
        await carried.ReadExactlyAsync(new byte[14]);
        var other = await pair.Attach(device.Allowed);

        process.Kill();
        for (var i = 0; i < 10; i++)
        {
            await using var next = await pair.Open(pair.Dial(device));
            using var accepted = await device.Accept();
        }

        await Should.ThrowAsync<IOException>(async () => await carried.ReadExactlyAsync(new byte[1]));
        // No connector dialled the device again after the loss.
        await Eventually.Holds(() => other.Tunnels.Count == 0);
        device.Pending.ShouldBeFalse();
    }

    [Fact]
    public async Task Links_reach_different_replicas_and_a_stopping_one_lets_its_stream_end()
    {
        await using var pair = await ConnectorPair.Start(postgres, "https://127.0.0.1:0");
        var stopping = await pair.StartReplica(new KeyValuePair<string, string?>("Connectors:Listener", "127.0.0.1:0"));
        var there = stopping.Services.GetRequiredService<LinkHub>();
        using var balancer = new TcpRelay();
        balancer.Targets = [pair.Port, stopping.Services.GetRequiredService<ConnectorHost>().Address.Port];
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("process");
        var (_, state) = await pair.Join(token, port: balancer.Port);
        var list = Path.Combine(pair.Folder.FullName, "allow");
        await File.WriteAllTextAsync(list, device.Allowed);
        // The join used the first connection, so each link gets its own replica.
        using var process = ConnectorProcess.Start(null, "run", "--state", state, "--allow-list", list, "--links", "2");
        await Eventually.Holds(() => pair.Hub.All.Count == 1 && there.All.Count == 1);
        there.All.Single().Connector.ShouldBe(id);
        (await pair.Sql<long>("select count(distinct generation) from connectors.connector_session where state = 'attached'")).ShouldBe(1);

        var dialler = stopping.Services.GetRequiredService<NetAutomation.Connectors.DeviceDialler>();
        await using var stream = (await dialler.Dial(pair.Dial(device), TimeSpan.FromSeconds(10), default)).Stream.ShouldNotBeNull();
        using var session = await device.Accept();
        balancer.Targets = [pair.Port];
        var stopped = pair.Stop(stopping);
        // The connector attached to the other replica at once; the old link stays for its stream.
        await Eventually.Holds(() => pair.Hub.All.Count == 2);
        await stream.WriteAsync("still"u8.ToArray());
        (await session.ReceiveAsync(new byte[5])).ShouldBe(5);
        await using var elsewhere = await pair.Open(pair.Dial(device));
        stopped.IsCompleted.ShouldBeFalse();
        await stream.CompleteWrites();
        (await session.ReceiveAsync(new byte[1])).ShouldBe(0);
        await session.SendAsync("bye"u8.ToArray());
        session.Shutdown(SocketShutdown.Send);
        (await DeviceStreamTests.ReadAll(stream)).ShouldBe("bye"u8.ToArray());
        await stopped;
        process.Kill();
    }

    [Fact]
    public async Task Silent_link_is_noticed_by_both_ends_within_45_seconds()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var relay = new TcpRelay { Target = pair.Port };
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("one");
        var (_, state) = await pair.Join(token, port: relay.Port);
        await using var connector = new RunningConnector(id, state, device.Allowed, TimeProvider.System, 1);
        await Eventually.Holds(() => pair.Hub.All.Count == 1);
        await using var stream = await pair.Open(pair.Dial(device));
        connector.Tunnels.Count.ShouldBe(1);
        relay.Frozen = true;
        await Eventually.Holds(() => pair.Hub.All.Count == 0 && connector.Tunnels.Count == 0);
        await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task Host_that_was_frozen_past_its_permit_writes_nothing_to_the_device()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var clock = new SuspendedClock();
        var connector = await pair.Attach(device.Allowed, clock);
        await using var stream = await pair.Open(pair.Dial(device, RunId.New(), 1, exclusive: true));
        using var session = await device.Accept();
        await stream.WriteAsync("before"u8.ToArray());
        (await session.ReceiveAsync(new byte[6])).ShouldBe(6);
        clock.Passed = TunnelProtocol.PermitTtl;
        await stream.WriteAsync("after"u8.ToArray());
        (await Should.ThrowAsync<SocketException>(async () => await session.ReceiveAsync(new byte[5]))).SocketErrorCode.ShouldBe(
            SocketError.ConnectionReset);
        await Eventually.Holds(() => connector.Tunnels.Count == 0);
    }

    /// <summary>The clock of a process that was stopped: the time has jumped, and its timers have not fired yet.</summary>
    private sealed class SuspendedClock : TimeProvider
    {
        public TimeSpan Passed { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Passed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
