using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Tests.Connectors;

/// <summary>A relay before a listener, so a test can kill the connections: sockets close in the middle of their data.</summary>
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

    /// <summary>Ports that get the connections in turn.</summary>
    public int[] Targets { get; set; } = [];

    /// <summary>While true, the relay passes no data and closes nothing.</summary>
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
            // The relay was disposed.
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
            // The relay was disposed.
        }
    }
}
