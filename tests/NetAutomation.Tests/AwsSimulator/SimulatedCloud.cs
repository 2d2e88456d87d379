using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>A simulator in this process on free ports, and clients that use only its sockets.</summary>
internal sealed class SimulatedCloud : IAsyncDisposable
{
    public const string Provider = "111111111111";
    public const string Customer = "222222222222";
    public const string Stranger = "333333333333";
    public const string ServiceId = "vpce-svc-0123456789abcdef0";
    public const string KeyId = "1a2b3c4d-0000-4000-8000-000000000001";
    public const string ServiceName = "com.amazonaws.vpce.us-east-1." + ServiceId;

    private readonly Simulator _simulator;
    private readonly HttpClient _http = new();
    private readonly TimeProvider _clock;

    private SimulatedCloud(Simulator simulator, TimeProvider clock) => (_simulator, _clock) = (simulator, clock);

    public Uri AwsUrl => _simulator.AwsUrl;
    public Uri ControlUrl => _simulator.ControlUrl;
    public string QueueUrl => new Uri(AwsUrl, $"/{Provider}/events").ToString();

    public static SimulatorOptions Options(params IPEndPoint[] targets) => new()
    {
        Urls = "http://127.0.0.1:0",
        ControlUrls = "http://127.0.0.1:0",
        TransitionMilliseconds = 20,
        ProviderAccount = Provider,
        Accounts = [.. new[] { Provider, Customer, Stranger }.Select(a => new AccountOptions(a, "AKIA" + a, "secret-of-" + a))],
        Services = [new ServiceOptions(ServiceId) { AllowedPrincipals = [$"arn:aws:iam::{Customer}:root"] }],
        LoadBalancer = new NlbOptions
        {
            EndpointNetwork = "127.21.0.0",
            Listeners = [new ListenerOptions(8443, "customer", Direct: "127.0.0.1:0")],
            TargetGroups =
            [
                new TargetGroupOptions("customer", 8443)
                {
                    HealthCheck = new HealthCheckOptions { IntervalMilliseconds = 50, TimeoutMilliseconds = 1000 },
                    Targets = [.. targets.Select(t => new TargetOptions(t.Address.ToString(), t.Port))],
                },
                new TargetGroupOptions("spare", 9000),
            ],
        },
        Queues = ["events"],
        Keys = [KeyId],
        Marketplace = new MarketplaceOptions { ProductCode = "pc", Dimensions = ["runs"], EventQueue = "events" },
    };

    public static async Task<SimulatedCloud> StartAsync(SimulatorOptions options, TimeProvider? clock = null) =>
        new(await Simulator.StartAsync(options, clock ?? TimeProvider.System), clock ?? TimeProvider.System);

    /// <summary>Sends one Query request as an account; returns the status and the body.</summary>
    public async Task<(int Status, XElement Body)> QueryAsync(string account, string service, string form, string? secret = null)
    {
        using var response = await SendAsync(account, service, form, "application/x-www-form-urlencoded; charset=utf-8", null, secret);
        return ((int)response.StatusCode, XElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    public async Task<(int Status, JsonElement Body)> JsonAsync(string account, string service, string target, object body)
    {
        using var response = await SendAsync(account, service, JsonSerializer.Serialize(body), "application/x-amz-json-1.1", target, null);
        return ((int)response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async Task<JsonElement> ControlAsync(HttpMethod method, string path, object? body = null, int status = 200)
    {
        using var request =
            new HttpRequestMessage(method, new Uri(ControlUrl, path)) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await _http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        ((int)response.StatusCode).ShouldBe(status, text);
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    /// <summary>Creates an endpoint of the customer; returns its id and the address of its NLB listener.</summary>
    public async Task<(string Id, IPEndPoint Address)> CreateEndpointAsync(bool accepted)
    {
        var endpoint = await ControlAsync(HttpMethod.Post, "/control/endpoints", new { account = Customer }, 201);
        var id = endpoint.GetProperty("vpceId").GetString()!;
        if (accepted)
        {
            (await DecideAsync("Accept", id)).ShouldBeEmpty();
            await Eventually.Holds(async () => await StateAsync(id) == "available");
        }
        return (id, IPEndPoint.Parse(endpoint.GetProperty("addresses")[0].GetProperty("address").GetString()!));
    }

    /// <summary>Accepts or rejects an endpoint; returns the error code of an unsuccessful item, or null.</summary>
    public async Task<string> DecideAsync(string verb, string id)
    {
        var (status, body) =
            await QueryAsync(
                Provider, "ec2", $"Action={verb}VpcEndpointConnections&Version=2016-11-15&ServiceId={ServiceId}&VpcEndpointId.1={id}");
        status.ShouldBe(200);
        return string.Join(',', Values(body, "code"));
    }

    public async Task<string?> StateAsync(string id)
    {
        var (_, body) =
            await QueryAsync(Provider, "ec2", $"Action=DescribeVpcEndpointConnections&Filter.1.Name=vpc-endpoint-id&Filter.1.Value.1={id}");
        return Values(body, "vpcEndpointState").SingleOrDefault();
    }

    public async Task<JsonElement> NlbAsync() => await ControlAsync(HttpMethod.Get, "/control/nlb");

    public async Task<IPEndPoint> DirectAddressAsync() =>
        IPEndPoint.Parse(
            (await NlbAsync()).GetProperty("listeners").EnumerateArray()
                .First(l => l.GetProperty("endpoint").ValueKind == JsonValueKind.Null).GetProperty("address").GetString()!);

    public static List<string> Values(XElement body, string name) =>
        [.. body.Descendants().Where(e => e.Name.LocalName == name).Select(e => e.Value)];

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _simulator.DisposeAsync();
    }

    private async Task<HttpResponseMessage> SendAsync(
        string account, string service, string body, string type, string? target, string? secret)
    {
        var time = _clock.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var scope = new[] { time[..8], "us-east-1", service, "aws4_request" };
        using var request =
            new HttpRequestMessage(HttpMethod.Post, AwsUrl) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        request.Headers.TryAddWithoutValidation("X-Amz-Date", time);
        if (target is not null)
        {
            request.Headers.TryAddWithoutValidation("X-Amz-Target", target);
        }
        var canonical = $"POST\n/\n\ncontent-type:{type}\nhost:{AwsUrl.Authority}\nx-amz-date:{time}\n\n"
            + $"content-type;host;x-amz-date\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(body)))}";
        var toSign = $"AWS4-HMAC-SHA256\n{time}\n{string.Join('/', scope)}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key =
            scope.Aggregate(
                Encoding.UTF8.GetBytes("AWS4" + (secret ?? "secret-of-" + account)),
                (k, part) => HMACSHA256.HashData(k, Encoding.UTF8.GetBytes(part)));
        request.Headers.TryAddWithoutValidation("Authorization",
            $"AWS4-HMAC-SHA256 Credential=AKIA{account}/{string.Join('/', scope)}, SignedHeaders=content-type;host;x-amz-date, "
            + $"Signature={Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)))}");
        return await _http.SendAsync(request);
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
