using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

/// <summary>A customer's script: it uses only HTTPS to its own endpoint.</summary>
public sealed class Customer : IDisposable
{
    private const string ServerName = "netautomation.internal";
    private static readonly TimeSpan _runLimit = TimeSpan.FromMinutes(4);
    private readonly string _authority;
    private readonly HttpClient _http;

    public Customer(string state, int number)
    {
        var folder = Path.Combine(state, $"tenant{number}");
        var facts = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tenant.json")))!;
        (Vpc, Account, Front) = (Text(facts, "vpc"), Text(facts, "account"), Text(facts, "front"));
        _authority = File.ReadAllText(Path.Combine(state, "ca.pem"));
        Key = File.ReadAllText(Path.Combine(folder, "key")).Trim();
        _http = Through(this);
    }

    public string Vpc { get; }

    public string Key { get; }

    /// <summary>The URL of the API for the customer's programs.</summary>
    public string Api { get; } = $"https://{ServerName}:8443";

    public string Account { get; }

    /// <summary>The address of the customer's endpoint.</summary>
    public string Front { get; }

    /// <summary>A client with this customer's key that calls through the endpoint of any customer.</summary>
    public HttpClient Through(Customer endpoint)
    {
        var handler =
            new SocketsHttpHandler { UseProxy = false, SslOptions = { TargetHost = ServerName, CertificateChainPolicy = Trust() } };
        handler.ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Parse(endpoint.Front), 8443, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        };
        return new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://{ServerName}:8443"),
            Timeout = TimeSpan.FromSeconds(90),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };
    }

    /// <summary>A browser in the customer's network. It trusts the customer's certificate authority.</summary>
    internal async Task<Browser> Browse()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Parse(Front), 8443);
        await using var tls = new SslStream(socket.GetStream());
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = ServerName, CertificateChainPolicy = Trust() });
        using var server = new X509Certificate2(tls.RemoteCertificate!);
        return await Browser.Start(
            ServerName, Front, Convert.ToBase64String(SHA256.HashData(server.PublicKey.ExportSubjectPublicKeyInfo())));
    }

    public async Task<JsonNode> Get(string path) => JsonNode.Parse(await GetText(path))!;

    public async Task<string> GetText(string path)
    {
        using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative));
        var body = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"GET {path}: {(int)answer.StatusCode} {body}");
        return body;
    }

    public async Task<JsonNode> Post(string path, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        using var answer = await _http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"POST {path}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    /// <summary>Starts a run, waits until it has finished and returns it.</summary>
    public async Task<JsonNode> Run(JsonObject body)
    {
        var id = Text(await Post("/v1/runs", body), "id");
        var deadline = DateTime.UtcNow + _runLimit;
        while (true)
        {
            var run = await Get($"/v1/runs/{id}?wait=20");
            if (run["terminal"]!.GetValue<bool>())
            {
                return run;
            }

            if (DateTime.UtcNow > deadline)
            {
                throw new TimeoutException($"{run} {await GetText($"/v1/runs/{id}/why")}");
            }
        }
    }

    public async Task<IReadOnlyList<JsonNode>> DevicesOf(JsonNode run) =>
        [.. (await Get($"/v1/runs/{Text(run, "id")}/devices"))["items"]!.AsArray().Select(device => device!)];

    public static JsonObject Routes(string mode, string prefix, string nextHop) => new()
    {
        ["block"] = "static-routes",
        ["mode"] = mode,
        ["targets"] = new JsonObject { ["selector"] = "site=lab" },
        ["input"] = new JsonObject { ["routes"] = new JsonArray(new JsonObject { ["prefix"] = prefix, ["nextHop"] = nextHop }) },
    };

    public static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    public static decimal Amount(JsonNode? money) => decimal.Parse(Text(money!, "amount"), CultureInfo.InvariantCulture);

    public void Dispose() => _http.Dispose();

    private X509ChainPolicy Trust()
    {
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(_authority);
        return trust;
    }
}
