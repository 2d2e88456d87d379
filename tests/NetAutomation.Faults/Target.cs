using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace NetAutomation.Faults;

/// <summary>
/// A customer listener as one customer reaches it: behind the load balancer's header, TLS and a key. What is sent to it is counted.
/// </summary>
internal sealed class Target : IDisposable
{
    public const string ServerName = "netautomation.internal";
    private readonly IPEndPoint _address;
    private readonly byte[] _header;
    private readonly string _key;
    private readonly X509ChainPolicy _trust =
        new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };

    private readonly ConcurrentDictionary<string, int> _counts = [];

    /// <param name="endpoint">The VPC endpoint that the header names.</param>
    /// <param name="device">A device of the customer.</param>
    public Target(IPEndPoint address, string caPem, string endpoint, string key, string device = "")
    {
        (_address, _key, Device) = (address, key, device);
        _trust.CustomTrustStore.ImportFromPem(caPem);
        // From 10.20.0.7:50000 to 10.0.0.1:8443, with the endpoint as AWS writes it.
        byte[] name = [0xEA, 0, (byte)(endpoint.Length + 1), 1, .. Encoding.ASCII.GetBytes(endpoint)];
        byte[] body = [10, 20, 0, 7, 10, 0, 0, 1, 0xC3, 0x50, 0x20, 0xFB, .. name];
        _header = [.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x11, 0, (byte)body.Length, .. body];
        Http = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false, ConnectCallback = async (_, cancel) => await Connect(cancel),
                SslOptions = { TargetHost = ServerName, CertificateChainPolicy = _trust.Clone() },
            })
        {
            BaseAddress = new Uri($"https://{ServerName}:8443"), Timeout = TimeSpan.FromSeconds(20),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
        };
    }

    public HttpClient Http { get; }

    public string Device { get; }

    public IReadOnlyDictionary<string, int> Counts => _counts;

    public void Count(string what, int more = 1) => _counts.AddOrUpdate(what, more, (_, before) => before + more);

    /// <summary>A connection on which the load balancer's header was sent.</summary>
    public async Task<Stream> Connect(CancellationToken cancel) => await Connect(0, cancel);

    /// <summary>The same with TLS.</summary>
    public async Task<SslStream> Secure(bool http2, CancellationToken cancel, int receiveBuffer = 0)
    {
        var tls = new SslStream(await Connect(receiveBuffer, cancel));
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = ServerName, CertificateChainPolicy = _trust.Clone(),
                    ApplicationProtocols = [http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11],
                }, cancel);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    /// <summary>The head of a request of HTTP/1.1.</summary>
    public string Head(string method, string path, int? length) =>
        $"{method} {path} HTTP/1.1\r\nHost: {ServerName}\r\nAuthorization: Bearer {_key}\r\nIdempotency-Key: {Guid.NewGuid()}\r\n"
        + (length is { } bytes ? $"Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n" : "\r\n");

    /// <summary>The status and the text of an answer; 0 where there was none.</summary>
    public async Task<(int Status, string Text)> Ask(string method, string path, JsonObject? body, CancellationToken cancel)
    {
        try
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.Add("Idempotency-Key", $"{Guid.NewGuid()}");
            request.Content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
            using var answer = await Http.SendAsync(request, cancel);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(cancel));
        }
        catch (Exception none) when (IsRefusal(none))
        {
            return (0, none.Message);
        }
    }

    /// <summary>A peer that does not want more, and the end of the time.</summary>
    public static bool IsRefusal(Exception fault) =>
        fault is IOException or SocketException or AuthenticationException or HttpRequestException or OperationCanceledException;

    public void Dispose() => Http.Dispose();

    private async Task<NetworkStream> Connect(int receiveBuffer, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (receiveBuffer > 0)
            {
                socket.ReceiveBufferSize = receiveBuffer;
            }

            await socket.ConnectAsync(_address, cancel);
            var stream = new NetworkStream(socket, ownsSocket: true);
            await stream.WriteAsync(_header, cancel);
            return stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
