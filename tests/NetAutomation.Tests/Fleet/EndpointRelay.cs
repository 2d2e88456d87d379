using System.Net;
using System.Net.Sockets;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>
/// A load balancer for one endpoint: it adds the endpoint's header and connects to the first replica that accepts. When one side ends, it
/// ends the other side too.
/// </summary>
internal sealed class EndpointRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly byte[] _header;

    public EndpointRelay(string endpointId, params int[] targets)
    {
        (_header, Targets) = (ProxyV2.Header(endpointId), targets);
        _listener.Start();
        _ = Serve();
    }

    /// <summary>Ports of the replicas.</summary>
    public int[] Targets { get; set; }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    public void Dispose() => _listener.Dispose();

    private async Task Serve()
    {
        try
        {
            while (true)
            {
                _ = Carry(await _listener.AcceptSocketAsync());
            }
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
            // The relay was disposed.
        }
    }

    private async Task Carry(Socket near)
    {
        using (near)
        {
            if (await Connect() is not { } far)
            {
                return;
            }

            await using (far)
            {
                await using var stream = new NetworkStream(near);
                await Task.WhenAny(Copy(stream, far), Copy(far, stream));
            }
        }
    }

    private async Task<Stream?> Connect()
    {
        foreach (var port in Targets)
        {
            try
            {
                return await ProxyV2.Connect(new IPEndPoint(IPAddress.Loopback, port), _header, default);
            }
            catch (SocketException)
            {
                // The next replica may accept.
            }
        }

        return null;
    }

    private static async Task Copy(Stream from, Stream to)
    {
        try
        {
            await from.CopyToAsync(to);
        }
        catch (Exception end) when (end is IOException or SocketException or ObjectDisposedException)
        {
            // One side has ended.
        }
    }
}
