using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Tests.Connectors;

/// <summary>
/// Stands before a listener so that a test can kill what is behind it: sockets close in the middle of whatever they carried.
/// </summary>
internal sealed class TcpRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _sockets = [];

    public TcpRelay()
    {
        _listener.Start();
        _ = Serve();
    }

    public int Target
    {
        get => Targets.Single();
        set => Targets = [value];
    }

    /// <summary>Ports that get one connection after the other.</summary>
    public int[] Targets { get; set; } = [];

    /// <summary>From now on, nothing passes and nothing ends.</summary>
    public bool Frozen { get; set; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Url => $"https://127.0.0.1:{Port}";

    public void Dispose()
    {
        _listener.Dispose();
        lock (_sockets)
        {
            _sockets.ForEach(s => s.Dispose());
        }
    }

    private async Task Serve()
    {
        try
        {
            var next = 0;
            while (true)
            {
                var near = await _listener.AcceptSocketAsync();
                var far = new Socket(SocketType.Stream, ProtocolType.Tcp);
                lock (_sockets)
                {
                    _sockets.AddRange([near, far]);
                }

                await far.ConnectAsync(IPAddress.Loopback, Targets[next++ % Targets.Length]);
                _ = Copy(near, far);
                _ = Copy(far, near);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task Copy(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is var read and > 0)
            {
                if (Frozen)
                {
                    return;
                }

                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }
}
