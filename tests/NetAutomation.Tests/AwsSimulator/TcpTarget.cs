using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>A target behind the load balancer; it recognises health checks by the LOCAL command and drops them.</summary>
internal sealed class TcpTarget : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Channel<Socket> _accepted = Channel.CreateUnbounded<Socket>();

    public TcpTarget(int port = 0)
    {
        _listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen();
        Address = (IPEndPoint)_listener.LocalEndPoint!;
        _ = AcceptAsync();
    }

    public IPEndPoint Address { get; }

    public async Task<Socket> AcceptClientAsync()
    {
        using var limit = new CancellationTokenSource(Eventually.Limit);
        return await _accepted.Reader.ReadAsync(limit.Token);
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = SortAsync(await _listener.AcceptAsync());
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            _accepted.Writer.TryComplete();
        }
    }

    private async Task SortAsync(Socket socket)
    {
        // A health check speaks or closes at once; a client connection may stay silent.
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var start = new byte[13];
        try
        {
            var read = await socket.ReceiveAsync(start, SocketFlags.Peek, patience.Token);
            if (read == 0 || (read == 13 && start[12] == 0x20))
            {
                socket.Dispose();
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // A silent connection is a client.
        }
        catch (SocketException)
        {
            socket.Dispose();
            return;
        }
        _accepted.Writer.TryWrite(socket);
    }
}
