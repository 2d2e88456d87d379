using System.Net.Sockets;
using System.Security.Cryptography;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connectors;

public sealed class PeerStreamTests(PostgresServer postgres)
{
    [Fact]
    public async Task Bytes_are_equal_under_random_chunking_both_ways()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var socket = await fixture.Device.Accept();
        await using var far = new NetworkStream(socket);
        var (up, down) = (RandomNumberGenerator.GetBytes(3_000_000), RandomNumberGenerator.GetBytes(3_000_000));
        var sending = Task.WhenAll(
            DeviceStreamTests.Send(far, up, new Random(1), () => Task.Run(() => socket.Shutdown(SocketShutdown.Send))),
            DeviceStreamTests.Send(stream, down, new Random(2), stream.CompleteWrites));
        var got = await Task.WhenAll(DeviceStreamTests.ReadAll(stream), DeviceStreamTests.ReadAll(far));
        await sending;
        got[0].SequenceEqual(up).ShouldBeTrue();
        got[1].SequenceEqual(down).ShouldBeTrue();
        await Eventually.Holds(() => fixture.A.Hub.All.Single().Load == 0);
    }

    [Fact]
    public async Task Worker_that_ends_first_still_reads_the_reply()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var socket = await fixture.Device.Accept();
        await stream.WriteAsync("question"u8.ToArray());
        await stream.CompleteWrites();
        (await DeviceStreamTests.ReadAll(new NetworkStream(socket))).ShouldBe("question"u8.ToArray());
        await socket.SendAsync("answer"u8.ToArray());
        socket.Shutdown(SocketShutdown.Send);
        (await DeviceStreamTests.ReadAll(stream)).ShouldBe("answer"u8.ToArray());
        await stream.Finished;
    }

    [Fact]
    public async Task Device_that_ends_first_still_gets_bytes()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var connector = await fixture.A.Attach(fixture.Device.Allowed);
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var socket = await fixture.Device.Accept();
        await using var far = new NetworkStream(socket);
        await socket.SendAsync("banner"u8.ToArray());
        socket.Shutdown(SocketShutdown.Send);
        (await DeviceStreamTests.ReadAll(stream)).ShouldBe("banner"u8.ToArray());
        await stream.WriteAsync("late"u8.ToArray());
        await stream.CompleteWrites();
        (await DeviceStreamTests.ReadAll(far)).ShouldBe("late"u8.ToArray());
        await Eventually.Holds(() => connector.Tunnels.Count == 0);
    }

    [Fact]
    public async Task Reset_by_the_device_is_an_error_and_never_an_end()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        for (var i = 0; i < 20; i++)
        {
            await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
            var socket = await fixture.Device.Accept();
            await socket.SendAsync("half a transcr"u8.ToArray());
            await stream.ReadExactlyAsync(new byte[14]);
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
            await Should.ThrowAsync<IOException>(async () => await DeviceStreamTests.ReadAll(stream));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reset_by_the_worker_resets_the_device(bool deviceEndedFirst)
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var connector = await fixture.A.Attach(fixture.Device.Allowed);
        // Repeated because of a race: the device might see a normal end instead of a reset.
        for (var i = 0; i < 30; i++)
        {
            var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
            using var socket = await fixture.Device.Accept();
            if (deviceEndedFirst)
            {
                socket.Shutdown(SocketShutdown.Send);
                (await stream.ReadAsync(new byte[1])).ShouldBe(0);
            }

            await stream.DisposeAsync();
            (await Should.ThrowAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[1]))).SocketErrorCode.ShouldBe(
                SocketError.ConnectionReset);
        }

        await Eventually.Holds(() => connector.Tunnels.Count == 0);
    }

    [Fact]
    public async Task Reset_after_the_worker_ended_its_side_resets_the_device()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var connector = await fixture.A.Attach(fixture.Device.Allowed);
        var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var socket = await fixture.Device.Accept();
        await stream.CompleteWrites();
        (await socket.ReceiveAsync(new byte[1])).ShouldBe(0);
        await stream.DisposeAsync();
        await Eventually.Holds(() => connector.Tunnels.Count == 0);
        (await Should.ThrowAsync<SocketException>(async () => await SendUntilRefused(socket))).SocketErrorCode.ShouldBeOneOf(
            SocketError.ConnectionReset, SocketError.Shutdown);
    }

    [Fact]
    public async Task Replica_that_dies_resets_its_streams()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        await using var reading = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var one = await fixture.Device.Accept();
        await using var ended = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var two = await fixture.Device.Accept();
        await one.SendAsync("half a transcr"u8.ToArray());
        await reading.ReadExactlyAsync(new byte[14]);
        await ended.CompleteWrites();
        var pending = reading.ReadAsync(new byte[1]).AsTask();
        fixture.Relay.Dispose();
        await Should.ThrowAsync<IOException>(() => pending);
        await Should.ThrowAsync<IOException>(async () => await DeviceStreamTests.ReadAll(ended));
        await Should.ThrowAsync<IOException>(async () => await reading.WriteAsync(new byte[1]));
    }

    [Fact]
    public async Task Replica_that_stops_resets_its_streams()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        await using var stream = await fixture.Open(fixture.A.Dial(fixture.Device));
        using var socket = await fixture.Device.Accept();
        var pending = stream.ReadAsync(new byte[1]).AsTask();
        var stopping = fixture.A.Hub.Drain(TimeSpan.Zero, default);
        await Should.ThrowAsync<IOException>(() => pending);
        await stopping;
    }

    private static async Task SendUntilRefused(Socket socket)
    {
        for (var i = 0; i < 1000; i++)
        {
            await socket.SendAsync(new byte[1]);
            await Task.Yield();
        }
    }
}
