using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

/// <summary>How far a connection goes before it stands still.</summary>
public enum Standstill
{
    /// <summary>Nothing is sent after the PROXY header, or nothing at all.</summary>
    Raw,

    /// <summary>After the TLS handshake.</summary>
    Tls,

    /// <summary>After the preface of HTTP/2 and its settings.</summary>
    Http2,
}

/// <summary>A client's connection that says no more than it has to, and whether the service has ended it.</summary>
internal sealed class OpenConnection : IDisposable
{
    private static readonly byte[] _settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Stream? _stream;

    /// <summary>Completes when the connection stands still, or was refused.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Completes when the service has ended the connection.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Opens it. A connection that was refused meanwhile has ended.</summary>
    public static OpenConnection To(IPEndPoint address, byte[] first, Standstill stop, ServerCertificate certificate)
    {
        var connection = new OpenConnection();
        connection.Ended = connection.Run(address, first, stop, certificate);
        return connection;
    }

    /// <summary>Opens many at once.</summary>
    public static OpenConnection[] Many(int count, IPEndPoint address, byte[] first, Standstill stop, ServerCertificate certificate) =>
        [.. Enumerable.Range(0, count).Select(_ => To(address, first, stop, certificate))];

    public static int EndedOf(IEnumerable<OpenConnection> connections) => connections.Count(each => each.Ended.IsCompleted);

    public async Task Send(byte[] bytes) => await _stream!.WriteAsync(bytes);

    public void Dispose()
    {
        _socket.Dispose();
        _stream?.Dispose();
    }

    private async Task Run(IPEndPoint address, byte[] first, Standstill stop, ServerCertificate certificate)
    {
        try
        {
            await _socket.ConnectAsync(address);
            _stream = new NetworkStream(_socket);
            await _stream.WriteAsync(first);
            if (stop != Standstill.Raw)
            {
                _stream = await Handshake(_stream, stop, certificate);
            }

            _ready.SetResult();
            while (await _stream.ReadAsync(new byte[4096]) > 0)
            {
                // Settings, or the end of TLS.
            }
        }
        catch (Exception ended) when (ended is IOException or SocketException or ObjectDisposedException)
        {
            // Reset, or closed by its owner.
            _ready.TrySetResult();
        }
    }

    /// <summary>The client's side of TLS, and of the beginning of HTTP/2 where it goes that far.</summary>
    private static async Task<SslStream> Handshake(Stream plain, Standstill stop, ServerCertificate certificate)
    {
        var tls = new SslStream(plain);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(certificate),
            ApplicationProtocols = [stop == Standstill.Http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11],
        };
        await tls.AuthenticateAsClientAsync(options);
        if (stop == Standstill.Http2)
        {
            await tls.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. _settings]);
        }

        return tls;
    }
}
