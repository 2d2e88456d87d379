using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>
/// One TLS connection to the service. A second one is an error: it could lead to another replica, which does not know the tunnels of
/// this link.
/// </summary>
internal sealed class ServiceClient : IDisposable
{
    private readonly ConnectorState _state;
    private readonly HttpClient _http;
    private int _connected;

    public ServiceClient(ConnectorState state)
    {
        _state = state;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = Connect,
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = state.ServerName,
                CertificateChainPolicy = Trust(state),
                // The fastest first.
                CipherSuitesPolicy = new CipherSuitesPolicy(
                    [TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_AES_256_GCM_SHA384,
                        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256]),
            },
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = TunnelProtocol.StreamWindow,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            KeepAlivePingDelay = TunnelProtocol.PingDelay,
            KeepAlivePingTimeout = TunnelProtocol.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            ConnectTimeout = TimeSpan.FromSeconds(10),
        })
        {
            BaseAddress = new Uri($"https://{state.ServerName}:{state.Port}"),
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            DefaultRequestHeaders = { UserAgent = { new ProductInfoHeaderValue("netautomation-connector", ConnectorVersion.Text) } },
        };
        _http.DefaultRequestHeaders.Add(TunnelProtocol.VersionHeader, $"{TunnelProtocol.Version}");
    }

    /// <summary>The authority given at the join, and no other.</summary>
    public static X509ChainPolicy Trust(ConnectorState state)
    {
        var anchors = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        anchors.CustomTrustStore.ImportFromPem(state.CaPem);
        return anchors;
    }

    public Task<HttpResponseMessage> Send(HttpRequestMessage request, CancellationToken cancel)
    {
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
    }

    /// <summary>Sends a request and reads the answer; RefusedException where it is not a 200.</summary>
    public async Task<T> Ask<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await Send(request, cancel);
        RefusedException.ThrowUnlessOk(response);
        return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancel), type)!;
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _connected, 1) == 1)
        {
            throw new IOException("The link is gone.");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (_state.Address is { } address)
            {
                await socket.ConnectAsync(IPAddress.Parse(address), _state.Port, cancel);
            }
            else
            {
                await socket.ConnectAsync(_state.Endpoint, _state.Port, cancel);
            }

            return new BulkStream(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
