using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Faults;

/// <summary>
/// A relay between a connector and the load balancer. While cut, it passes nothing in either direction and closes nothing: both ends see a
/// network that drops every packet.
/// </summary>
internal sealed class Relay : IDisposable
{
    private readonly TcpListener _listener;
    private readonly IPEndPoint _target;
    private TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Relay(IPEndPoint target, IPAddress? address = null)
    {
        (_target, _listener) = (target, new TcpListener(address ?? IPAddress.Loopback, 0));
        _open.SetResult();
        _listener.Start();
        _ = Serve();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Cut() => _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Restore() => _open.TrySetResult();

    public void Dispose()
    {
        _listener.Dispose();
        Restore();
    }

    private async Task Serve()
    {
        try
        {
            while (true)
            {
                await _open.Task;
                _ = Carry(await _listener.AcceptSocketAsync());
            }
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The relay was disposed.
        }
    }

    private async Task Carry(Socket near)
    {
        using var both = near;
        using var far = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        near.NoDelay = true;
        try
        {
            await _open.Task;
            await far.ConnectAsync(_target);
            await Task.WhenAll(Copy(near, far), Copy(far, near));
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // A reset on one side resets the other side.
            near.LingerState = far.LingerState = new LingerOption(true, 0);
        }
    }

    private async Task Copy(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            int read;
            do
            {
                read = await from.ReceiveAsync(buffer);
                await _open.Task;
                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
                }
            }
            while (read > 0);
            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            await _open.Task;
            from.Dispose();
            to.Dispose();
            throw;
        }
    }
}
