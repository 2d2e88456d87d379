using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using NetAutomation.Connectors;
using NetAutomation.Tunnel;

namespace NetAutomation.Bench.Inside;

/// <summary>
/// TCP ports of the service's process that lead to a device, in place of a run's UNIX socket: they behave like a port of <c>ssh -R</c>.
/// Every stream is dialled for a running run, so the database is asked, the fence is checked and the permits are renewed.
/// </summary>
internal sealed class Door(DeviceDialler dialler, Openings openings) : BackgroundService
{
    private const long Fence = 1;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _permitEvery = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var door in openings.Doors)
        {
            var listener = new TcpListener(IPAddress.Loopback, door[0]);
            listener.Start(1024);
            _ = Listen(listener, door[1], stoppingToken);
        }

        using var timer = new PeriodicTimer(_permitEvery);
        do
        {
            dialler.Permit(new(openings.Tenant), new(openings.Run), Fence);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task Listen(TcpListener listener, int port, CancellationToken stop)
    {
        using (listener)
        {
            while (!stop.IsCancellationRequested)
            {
                _ = Serve(await listener.AcceptSocketAsync(stop), port, stop);
            }
        }
    }

    private async Task Serve(Socket socket, int port, CancellationToken stop)
    {
        socket.NoDelay = true;
        await using var inside = new NetworkStream(socket, ownsSocket: true);
        var dial =
            new DeviceDial(
                new(openings.Tenant), new(openings.Site), new(openings.Device), "127.0.0.1", port, new(openings.Run), Fence,
                Exclusive: true);
        var result = await dialler.Dial(dial, _patience, stop);
        if (result.Stream is not { } device)
        {
            await Console.Error.WriteLineAsync($"no stream: {result.Code} {result.Detail}");
            return;
        }

        await using (device)
        {
            try
            {
                var (up, down) = (Up(inside, device, stop), Down(device, inside, socket, stop));
                await await Task.WhenAny(up, down);
                await Task.WhenAll(up, down);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // One side was reset; disposing resets the other.
            }
        }
    }

    private static async Task Up(NetworkStream inside, TunnelStream device, CancellationToken stop)
    {
        await StreamPump.Copy(inside, device, stop);
        await device.CompleteWrites();
    }

    private static async Task Down(TunnelStream device, NetworkStream inside, Socket socket, CancellationToken stop)
    {
        await StreamPump.Copy(device, inside, stop);
        socket.Shutdown(SocketShutdown.Send);
    }
}
