using System.Net;
using System.Net.Sockets;
using NetAutomation.Connector;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connector;

public sealed class BulkStreamTests
{
    [Fact]
    public async Task All_bytes_arrive_in_order_whatever_they_are_written_in()
    {
        var random = new Random(7);
        var (stream, peer) = await Pair();
        await using (stream)
        using (peer)
        {
            byte[][] pieces =
                [.. Enumerable.Range(0, 600)
                    .Select(
                        _ => new byte[
                            random.Next(
                                6) switch {
                                    0 => random.Next(64), 1 => 16_384, 2 => 16_406, 3 => random.Next(120_000),
                                    _ => random.Next(20_000) }])];
            Array.ForEach(pieces, random.NextBytes);
            var arrived = Read(peer, pieces.Sum(piece => piece.Length));
            foreach (var piece in pieces)
            {
                await stream.WriteAsync(piece);
                if (random.Next(50) == 0)
                {
                    await Task.Yield();
                }
            }

            (await arrived).ShouldBe(pieces.SelectMany(piece => piece));
        }
    }

    [Theory]
    [InlineData(new[] { 73 })]
    [InlineData(new[] { 16_406 })]
    [InlineData(new[] { 16_406, 40 })]
    [InlineData(new[] { 16_406, 16_406, 500 })]
    public async Task Data_does_not_wait_for_another_write(int[] lengths)
    {
        var (stream, peer) = await Pair();
        await using (stream)
        using (peer)
        {
            foreach (var length in lengths)
            {
                await stream.WriteAsync(new byte[length]);
            }

            (await Read(peer, lengths.Sum()).WaitAsync(Eventually.Limit)).Length.ShouldBe(lengths.Sum());
        }
    }

    [Fact]
    public async Task A_write_to_a_connection_that_was_reset_fails()
    {
        var (stream, peer) = await Pair();
        await using (stream)
        {
            peer.LingerState = new LingerOption(true, 0);
            peer.Dispose();
            await Should.ThrowAsync<IOException>(async () =>
            {
                for (var i = 0; i < 1000; i++)
                {
                    await stream.WriteAsync(new byte[16_406]);
                }
            });
        }
    }

    private static async Task<byte[]> Read(Socket socket, int length)
    {
        var bytes = new byte[length];
        for (var read = 0; read < length;)
        {
            read += await socket.ReceiveAsync(bytes.AsMemory(read)) is var more and > 0
                ? more : throw new IOException("The stream ended early.");
        }

        return bytes;
    }

    private static async Task<(BulkStream Stream, Socket Peer)> Pair()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(listener.LocalEndpoint);
        return (new BulkStream(socket), await listener.AcceptSocketAsync());
    }
}
