using System.Net.Sockets;
using System.Security.Cryptography;
using NetAutomation.Connectors;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

public sealed class DeviceStreamTests(PostgresServer postgres)
{
    [Fact]
    public async Task Client_that_ends_first_still_reads_the_reply()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        await stream.WriteAsync("question"u8.ToArray());
        await stream.CompleteWrites();
        (await ReadAll(new NetworkStream(socket))).ShouldBe("question"u8.ToArray());
        await socket.SendAsync("answer"u8.ToArray());
        socket.Shutdown(SocketShutdown.Send);
        (await ReadAll(stream)).ShouldBe("answer"u8.ToArray());
        await stream.Finished;
    }

    [Fact]
    public async Task Device_that_ends_first_still_gets_bytes()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        await using var far = new NetworkStream(socket);
        await socket.SendAsync("banner"u8.ToArray());
        socket.Shutdown(SocketShutdown.Send);
        (await ReadAll(stream)).ShouldBe("banner"u8.ToArray());
        await stream.WriteAsync("late"u8.ToArray());
        await stream.CompleteWrites();
        (await ReadAll(far)).ShouldBe("late"u8.ToArray());
        await Eventually.Holds(() => connector.Tunnels.Count == 0);
    }

    [Fact]
    public async Task Reset_by_the_device_is_an_error_and_never_an_end()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        var socket = await device.Accept();
        await socket.SendAsync("half a transcr"u8.ToArray());
        await stream.ReadExactlyAsync(new byte[14]);
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
        await Should.ThrowAsync<IOException>(async () => await ReadAll(stream));
    }

    [Fact]
    public async Task Reset_by_the_service_resets_the_device()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        // Repeated because of a race: the device might see a normal end instead of a reset.
        for (var i = 0; i < 50; i++)
        {
            var stream = await pair.Open(pair.Dial(device));
            using var socket = await device.Accept();
            await stream.DisposeAsync();
            (await Should.ThrowAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[1]))).SocketErrorCode.ShouldBe(
                SocketError.ConnectionReset);
        }

        await Eventually.Holds(() => connector.Tunnels.Count == 0);
    }

    [Fact]
    public async Task Bytes_are_equal_under_random_chunking_both_ways()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        await using var far = new NetworkStream(socket);
        var (up, down) = (RandomNumberGenerator.GetBytes(3_000_000), RandomNumberGenerator.GetBytes(3_000_000));
        var sending = Task.WhenAll(
            Send(far, up, new Random(1), () => Task.Run(() => socket.Shutdown(SocketShutdown.Send))),
            Send(stream, down, new Random(2), stream.CompleteWrites));
        var got = await Task.WhenAll(ReadAll(stream), ReadAll(far));
        await sending;
        got[0].SequenceEqual(up).ShouldBeTrue();
        got[1].SequenceEqual(down).ShouldBeTrue();
    }

    [Fact]
    public async Task Stalled_readers_do_not_block_other_streams()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        var streams = new List<TunnelStream>();
        var sockets = new List<Socket>();
        var block = new byte[64 * 1024];
        var senders = new List<Task>();
        using var stop = new CancellationTokenSource();
        for (var i = 0; i < 250; i++)
        {
            streams.Add(await pair.Open(pair.Dial(device)));
            var socket = await device.Accept();
            sockets.Add(socket);
            senders.Add(Flood(socket, block, stop.Token));
        }

        // Nobody reads the 250 streams; each has at least filled its window, and the 251st must still answer.
        await using var other = await pair.Open(pair.Dial(device));
        using var far = await device.Accept();
        for (var i = 0; i < 20; i++)
        {
            await other.WriteAsync(new byte[1024]);
            await ReadExactly(far, 1024);
            await far.SendAsync(new byte[1024]);
            using var deadline = new CancellationTokenSource(Eventually.Limit);
            await other.ReadExactlyAsync(new byte[1024], deadline.Token);
        }

        await stop.CancelAsync();
        await Task.WhenAll(senders);
        sockets.ForEach(s => s.Dispose());
        streams.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task More_streams_than_a_link_carries_are_busy()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        var streams = await Task.WhenAll(Enumerable.Range(0, TunnelProtocol.MaxTunnels).Select(_ => pair.Open(pair.Dial(device))));
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.Busy);
        streams[0].Dispose();
        await Eventually.Holds(() => pair.Hub.All.Single().Load < TunnelProtocol.MaxTunnels);
        Array.ForEach(streams, s => s.Dispose());
    }

    private static async Task Flood(Socket socket, byte[] block, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await socket.SendAsync(block, stop);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The test stopped the flood, or the connector cut the stream.
        }
    }

    private static async Task ReadExactly(Socket socket, int count)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        await stream.ReadExactlyAsync(new byte[count]);
    }

    internal static async Task Send(Stream stream, byte[] bytes, Random random, Func<Task> end)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var size = Math.Min(random.Next(4) == 0 ? random.Next(1, 200_000) : random.Next(1, 3000), bytes.Length - at);
            await stream.WriteAsync(bytes.AsMemory(at, size));
            at += size;
        }

        await end();
    }

    internal static async Task<byte[]> ReadAll(Stream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
