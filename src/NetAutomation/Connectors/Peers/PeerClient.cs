using System.Diagnostics;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Peers;

/// <summary>Calls other replicas.</summary>
internal sealed class PeerClient : IDisposable
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(4);
    private readonly ClusterKey _key;
    private readonly ServerCertificate _certificate;
    private readonly TimeProvider _clock;
    private readonly HttpClient _http;

    public PeerClient(ClusterKey key, ServerCertificate certificate, TimeProvider clock)
    {
        (_key, _certificate, _clock) = (key, certificate, clock);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = TunnelProtocol.StreamWindow,
            KeepAlivePingDelay = TunnelProtocol.PingDelay,
            KeepAlivePingTimeout = TunnelProtocol.PingTimeout,
            ConnectTimeout = TimeSpan.FromSeconds(5),
        };
        var trust = handler.SslOptions.CertificateChainPolicy =
            new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(certificate.CaPem);
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public async Task<DialResult> Dial(string url, DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        var content = new PeerContent();
        HttpResponseMessage? response = null;
        using var deadline = new CancellationTokenSource(timeout + _grace, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        try
        {
            response = await Send(PeerCall.Of(PeerCall.DialsPath, url, dial, timeout), content, both.Token);
            if (response.IsSuccessStatusCode)
            {
                return new DialResult(
                    new PeerStream(
                        dial, content, response, await content.Stream.WaitAsync(both.Token),
                        await response.Content.ReadAsStreamAsync(both.Token)), null, null);
            }

            var failure = Failure(response);
            Abandon(content, response);
            return failure;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !both.IsCancellationRequested))
        {
            // HttpClient reports a connection that dies under a request whose body is still open in either way. Whether the call arrived
            // cannot be known, and does not matter: the stream is handed out with the answer, so no byte of the session has flowed, and
            // the replica drops the stream of a caller that is gone.
            Abandon(content, response);
            return DialResult.Failed(DialCodes.NoReplica, "The process that holds the connector's link did not answer.");
        }
        catch (OperationCanceledException)
        {
            Abandon(content, response);
            cancel.ThrowIfCancellationRequested();
            return DialResult.Failed(DialCodes.Timeout);
        }
    }

    /// <summary>A call without a stream. Null where the replica did not answer in time, or refused.</summary>
    public async Task<byte[]?> Ask(PeerCall call, TimeSpan within, CancellationToken cancel)
    {
        using var deadline = new CancellationTokenSource(within, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        try
        {
            using var response = await Send(call, null, both.Token);
            return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync(both.Token) : null;
        }
        catch (Exception e) when (
            e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return null;
        }
    }

    public async Task<PeerConfirmation?> Confirm(PeerCall call, CancellationToken cancel)
    {
        try
        {
            return await Ask(call, call.Within + _grace, cancel) is { } answer
                ? JsonSerializer.Deserialize<PeerConfirmation>(answer, Json.Api) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private static DialResult Failure(HttpResponseMessage response)
    {
        var code = response.Headers.TryGetValues(PeerCall.CodeHeader, out var codes) ? codes.First() : DialCodes.NoReplica;
        return DialResult.Failed(
            code, response.Headers.TryGetValues(PeerCall.DetailHeader, out var details) ? Uri.UnescapeDataString(details.First()) : null);
    }

    private static void Abandon(PeerContent content, HttpResponseMessage? response)
    {
        content.Reset();
        response?.Dispose();
    }

    private Task<HttpResponseMessage> Send(PeerCall call, HttpContent? content, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(new Uri(call.To), call.Path))
        {
            Content = content,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            // The name TLS asks for; the URL holds an address.
            Headers = { Host = _certificate.ServerName },
        };
        request.Headers.Add(PeerCall.Header, _key.Sign(call));
        if (call.Path == PeerCall.DialsPath && Activity.Current is { } dial)
        {
            request.Headers.Add("traceparent", dial.Id);
        }

        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
    }
}
