using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace NetAutomation.Faults;

/// <summary>The customer's script: HTTPS through the endpoint, with retries while processes of the service are killed.</summary>
internal sealed class Customer : IDisposable
{
    private const string ServerName = "netautomation.internal";
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(3);
    private readonly IPEndPoint _front;
    private readonly string _key;
    private readonly X509ChainPolicy _trust =
        new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
    private readonly HttpClient _http;

    public Customer(Stack stack, int tenant = 1)
    {
        _front = new IPEndPoint(IPAddress.Parse(stack.Front(tenant)), 8443);
        _key = File.ReadAllText(Path.Combine(stack.State, $"tenant{tenant}/key")).Trim();
        _trust.CustomTrustStore.ImportFromPem(File.ReadAllText(Path.Combine(stack.State, "ca.pem")));
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = { TargetHost = ServerName, CertificateChainPolicy = _trust.Clone() },
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(_front, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        _http = new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://{ServerName}:8443"),
            Timeout = TimeSpan.FromSeconds(15),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", _key) },
        };
    }

    public Task<JsonNode> Get(string path) => Ask(HttpMethod.Get, path, null, null);

    /// <summary>Repeats the request with the same key until it is answered.</summary>
    public Task<JsonNode> Post(string path, JsonObject body, string? key = null) =>
        Ask(HttpMethod.Post, path, body, key ?? Guid.NewGuid().ToString());

    /// <summary>Reads a run's events at about 1 KB/s, with buffers so small that the sender feels it.</summary>
    public async Task<int> ReadSlowly(string run, CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 2048 };
        var total = 0;
        try
        {
            await socket.ConnectAsync(_front, cancel);
            await using var tls = new SslStream(new NetworkStream(socket));
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions { TargetHost = ServerName, CertificateChainPolicy = _trust.Clone() }, cancel);
            await tls.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: {ServerName}\r\nAccept: text/event-stream\r\n"
                    + $"Authorization: Bearer {_key}\r\n\r\n"), cancel);
            var buffer = new byte[100];
            while (await tls.ReadAsync(buffer, cancel) is var read and > 0)
            {
                total += read;
                await Task.Delay(100, cancel);
            }
        }
        catch (Exception end) when (end is OperationCanceledException or IOException or SocketException)
        {
            // The time is over, or the service has cut off the slow reader, as it may.
        }

        return total;
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonNode> Ask(HttpMethod method, string path, JsonObject? body, string? key)
    {
        var until = DateTime.UtcNow + _patience;
        while (true)
        {
            string fault;
            try
            {
                using var request = new HttpRequestMessage(method, path);
                if (body is not null)
                {
                    request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
                    request.Headers.Add("Idempotency-Key", key);
                }

                using var answer = await _http.SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                if (answer.IsSuccessStatusCode)
                {
                    return JsonNode.Parse(text)!;
                }

                fault = $"{(int)answer.StatusCode} {text}";
                if ((int)answer.StatusCode < 500
                    && answer.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout)
                    && !text.Contains("idempotency_in_flight", StringComparison.Ordinal))
                {
                    throw new InvalidOperationException($"{method} {path}: {fault}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                fault = e.Message;
            }

            if (DateTime.UtcNow > until)
            {
                throw new InvalidOperationException($"{method} {path}: no answer in {_patience}: {fault}");
            }

            await Task.Delay(300);
        }
    }
}
