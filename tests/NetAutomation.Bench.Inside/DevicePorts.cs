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
internal sealed class DevicePorts(DeviceDialler dialler, BenchSettings settings) : BackgroundService
{
    private const long Fence = 1;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _permitEvery = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var pair in settings.Ports)
        {
            var listener = new TcpListener(IPAddress.Loopback, pair[0]);
            listener.Start(1024);
            _ = Listen(listener, pair[1], stoppingToken);
        }

        using var timer = new PeriodicTimer(_permitEvery);
        do
        {
            dialler.Permit(new(settings.Tenant), new(settings.Run), Fence);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task Listen(TcpListener listener, int port, CancellationToken cancel)
    {
        using (listener)
        {
            while (!cancel.IsCancellationRequested)
            {
                _ = Serve(await listener.AcceptSocketAsync(cancel), port, cancel);
            }
        }
    }

    private async Task Serve(Socket socket, int port, CancellationToken cancel)
    {
        socket.NoDelay = true;
        await using var inside = new NetworkStream(socket, ownsSocket: true);
        var dial =
            new DeviceDial(
                new(settings.Tenant), new(settings.Site), new(settings.Device), "127.0.0.1", port, new(settings.Run), Fence,
                Exclusive: true);
        var result = await dialler.Dial(dial, _patience, cancel);
        if (result.Stream is not { } device)
        {
            await Console.Error.WriteLineAsync($"no stream: {result.Code} {result.Detail}");
            return;
        }

        await using (device)
        {
            try
            {
                var (up, down) = (CopyToDevice(inside, device, cancel), CopyFromDevice(device, inside, socket, cancel));
                await await Task.WhenAny(up, down);
                await Task.WhenAll(up, down);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // One side was reset; disposing resets the other.
            }
        }
    }

    private static async Task CopyToDevice(NetworkStream inside, TunnelStream device, CancellationToken cancel)
    {
        await StreamPump.Copy(inside, device, cancel);
        await device.CompleteWrites();
    }

    private static async Task CopyFromDevice(TunnelStream device, NetworkStream inside, Socket socket, CancellationToken cancel)
    {
        await StreamPump.Copy(device, inside, cancel);
        socket.Shutdown(SocketShutdown.Send);
    }
}
