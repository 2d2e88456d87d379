using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Connector;
using NetAutomation.Tests.Connectors;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Tunnel;

/// <summary>
/// Recorded messages of protocol version 1. Connectors in the field and older services speak it: if a test fails, correct the code, never
/// the records. A later version gets records of its own; these stay while version 1 is accepted.
/// </summary>
public sealed class WireTests(PostgresServer postgres)
{
    private const string RecordedKey =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJmtXoA8MK6fygt5GKcKph+zU1mlyAnB3XFd69kWNYABHbBU43MsqOqSBl4vEgvV4rrtJAypiS8K5cGGs7ZQu+w==";

    public static TheoryData<Type, string> Recorded => new()
    {
        // Service to connector.
        { typeof(ControlMessage),
            """{"type":"hello","session":"cse_1","replica":"r1","maxTunnels":256,"serverTime":"2026-11-01T10:00:00+00:00"}""" },
        { typeof(ControlMessage),
            """{"type":"dial","id":"ZGlhbA","device":"dev_1","host":"10.0.0.1","port":22,"run":"run_1","fence":7,"exclusive":true"""
            + ""","deadlineMs":5000}""" },
        { typeof(ControlMessage),
            """{"type":"dial","id":"ZGlhbA","device":"dev_1","host":"router.example","port":830,"run":null,"fence":0,"exclusive":false"""
            + ""","deadlineMs":5000}""" },
        { typeof(ControlMessage), """{"type":"cut","id":"Y3V0","device":"dev_1","run":null,"belowFence":8}""" },
        { typeof(ControlMessage), """{"type":"cut","id":"Y3V0","device":null,"run":"run_1","belowFence":9223372036854775807}""" },
        { typeof(ControlMessage), """{"type":"fences","devices":[{"device":"dev_1","fence":8},{"device":"dev_2","fence":9}]}""" },
        { typeof(ControlMessage), """{"type":"permit","run":"run_1","fence":7,"ttlMs":25000}""" },
        { typeof(ControlMessage), """{"type":"drain","deadlineMs":25000}""" },
        { typeof(Challenge), """{"nonce":"bm9uY2U"}""" },
        { typeof(JoinReply), """{"connector":"con_1","site":"sit_1","name":"ams-1"}""" },
        { typeof(CheckReply), """{"links":2,"updateTo":"0.2.0"}""" },
        // Connector to service.
        { typeof(JoinRequest), """{"token":"njt_1","publicKey":"a2V5","proof":"cA.cw","version":"0.1.0"}""" },
        { typeof(DialFailure), """{"code":"refused","detail":null}""" },
        { typeof(JoinStatement), """{"audience":"connect.example","tokenSha256":"9f86d0","nonce":"bm9uY2U"}""" },
        { typeof(AttachStatement),
            """{"audience":"connect.example","connector":"con_1","link":"bGluaw","nonce":"bm9uY2U","issuedAt":"2026-11-01"""
            + """T10:00:00+00:00","highestFence":41,"version":"0.1.0","instance":"aW5zdA","generation":7}""" },
        { typeof(CheckStatement),
            """{"audience":"connect.example","connector":"con_1","nonce":"bm9uY2U","issuedAt":"2026-11-01T10:00:00+00:00"}""" },
    };

    [Theory]
    [MemberData(nameof(Recorded))]
    public void Recorded_message_is_read_and_what_is_written_holds_all_of_it(Type type, string recorded)
    {
        var read = Read(type, recorded);
        var written = JsonSerializer.Serialize(read, TunnelJson.Default.GetTypeInfo(type)!);
        Contains(JsonNode.Parse(written)!, JsonNode.Parse(recorded)!).ShouldBeTrue(written);
        // A newer peer may add members.
        var newer = JsonNode.Parse(recorded)!.AsObject();
        newer.Add("tomorrow", new JsonObject { ["x"] = 1 });
        JsonSerializer.Serialize(Read(type, newer.ToJsonString()), TunnelJson.Default.GetTypeInfo(type)!).ShouldBe(written);
    }

    [Fact]
    public void Every_message_has_a_record()
    {
        var written = Recorded.Select(row => row.Data).ToList();
        var types = typeof(ControlMessage).GetCustomAttributes(typeof(System.Text.Json.Serialization.JsonDerivedTypeAttribute), false)
            .Cast<System.Text.Json.Serialization.JsonDerivedTypeAttribute>().Select(a => $"\"type\":\"{a.TypeDiscriminator}\"");
        types.ShouldAllBe(type => written.Any(row => row.Item2.Contains(type, StringComparison.Ordinal)));
        var requests = typeof(TunnelJson).GetCustomAttributesData()
            .Where(a => a.AttributeType == typeof(System.Text.Json.Serialization.JsonSerializableAttribute))
                .Select(a => (Type)a.ConstructorArguments[0].Value!);
        requests.ShouldAllBe(type => written.Any(row => row.Item1 == type));
    }

    [Fact]
    public void Recorded_proofs_still_prove()
    {
        using var key = Proof.ReadPublicKey(RecordedKey)!;
        const string join =
            "eyJhdWRpZW5jZSI6ImNvbm5lY3QuZXhhbXBsZSIsInRva2VuU2hhMjU2IjoiOWY4NmQwIiwibm9uY2UiOiJibTl1WTJVIn0"
            + ".csioEoE_U0afCWc9b8OtO7ZWCAZMq18H08_42BRuobw1vJa_kdbNnKaMqNE0CRE4kp_6Eo5U53BuVSZyNCy2bg";
        const string attach =
            "eyJhdWRpZW5jZSI6ImNvbm5lY3QuZXhhbXBsZSIsImNvbm5lY3RvciI6ImNvbl8xIiwibGluayI6ImJHbHVhdyIsIm5vbmNlIjoiYm05dVkyVSIsImlzc3VlZEF0"
            + "IjoiMjAyNi0xMS0wMVQxMDowMDowMCswMDowMCIsImhpZ2hlc3RGZW5jZSI6NDEsInZlcnNpb24iOiIwLjEuMCIsImluc3RhbmNlIjoiYVc1emRBIiwiZ2Vu"
            + "ZXJhdGlvbiI6N30.KEK5LfQ8BqZNcjkKEUMsyMxRfOaqrn7hvx96-dxdMIylXs1DPa986L30zdTLocuc1VCQrwUTxpceFuF5LTgfkw";
        const string check =
            "eyJhdWRpZW5jZSI6ImNvbm5lY3QuZXhhbXBsZSIsImNvbm5lY3RvciI6ImNvbl8xIiwibm9uY2UiOiJibTl1WTJVIiwiaXNzdWVkQXQi"
            + "OiIyMDI2LTExLTAxVDEwOjAwOjAwKzAwOjAwIn0"
            + ".XWRe82Masnme_6eQ7MMSaWIqGIrmgXMZwGFg3KY_I9Bxrl-7AsixDMIf-xhYRT95V2HuEdJF8uFV_vtMzWvf0w";
        Proof.OpenJoin(key, join)!.TokenSha256.ShouldBe("9f86d0");
        Proof.OpenAttach(key, attach)!.Generation.ShouldBe(7);
        Proof.OpenCheck(key, check)!.Connector.ShouldBe("con_1");
    }

    [Fact]
    public void Service_accepts_its_own_version_and_the_two_before()
    {
        TunnelProtocol.OldestAccepted.ShouldBe(Math.Max(1, TunnelProtocol.Version - 2));
        for (var version = -1; version <= TunnelProtocol.Version + 2; version++)
        {
            TunnelProtocol.Accepts($"{version}").ShouldBe(version >= TunnelProtocol.OldestAccepted && version <= TunnelProtocol.Version);
        }

        TunnelProtocol.Accepts(null).ShouldBeFalse();
        TunnelProtocol.Accepts("1.0").ShouldBeFalse();
    }

    /// <summary>This test uses no current code: paths, headers, messages and signatures are those of a connector of version 1.</summary>
    [Fact]
    public async Task Connector_of_version_1_joins_attaches_and_serves()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (_, token) = await pair.Enrol("old");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var http = OldConnector(pair.Port);
        var nonce = await Nonce(http);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        var proof = Sign(key, "join", $$"""{"audience":"{{ConnectorPair.ServerName}}","tokenSha256":"{{digest}}","nonce":"{{nonce}}"}""");
        var publicKey = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
        var joined = await Send(http, HttpMethod.Post, "/v1/connector/join",
            $$"""{"token":"{{token}}","publicKey":"{{publicKey}}","proof":"{{proof}}","version":"0.1.0"}""");
        var id = (string)JsonNode.Parse(await joined.Content.ReadAsStringAsync())!["connector"]!;

        nonce = await Nonce(http);
        using var attach =
            new HttpRequestMessage(
                HttpMethod.Get, "/v1/connector/attach")
            {
                Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact
            };
        attach.Headers.Add("netautomation-connector", id);
        attach.Headers.Add("netautomation-proof", Sign(key, "attach",
            $$"""{"audience":"{{ConnectorPair.ServerName}}","connector":"{{id}}","link":"bGluaw","nonce":"{{nonce}}","issued"""
            + $$"""At":"{{DateTimeOffset.UtcNow:O}}","highestFence":41,"version":"0.1.0","instance":"aW5zdA","generation":7}"""));
        using var attached = await http.SendAsync(attach, HttpCompletionOption.ResponseHeadersRead);
        attached.StatusCode.ShouldBe(HttpStatusCode.OK);
        using var lines = new StreamReader(await attached.Content.ReadAsStreamAsync());
        var hello = await Next(lines);
        ((string)hello["type"]!, (int)hello["maxTunnels"]!).ShouldBe(("hello", 256));
        await Eventually.Holds(() => pair.Hub.All.Count == 1);
        pair.Gate.Seen.ShouldBe(41);

        var refused = pair.Code(pair.Dial(device));
        var dial = await Next(lines);
        ((string)dial["type"]!, (string)dial["host"]!, (int)dial["port"]!, (bool)dial["exclusive"]!)
            .ShouldBe(("dial", "127.0.0.1", device.Port, false));
        (await Send(http, HttpMethod.Put, $"/v1/connector/dials/{dial["id"]}", """{"code":"refused","detail":null}""")).StatusCode.ShouldBe(
            HttpStatusCode.NoContent);
        (await refused).ShouldBe("refused");

        var opening = pair.Open(pair.Dial(device));
        dial = await Next(lines);
        var answer = Send(http, HttpMethod.Post, $"/v1/connector/tunnels/{dial["id"]}", "banner");
        await using var stream = await opening;
        (await DeviceStreamTests.ReadAll(stream)).ShouldBe("banner"u8.ToArray());
        await stream.WriteAsync("command"u8.ToArray());
        await stream.CompleteWrites();
        (await (await answer).Content.ReadAsStringAsync()).ShouldBe("command");

        var confirming = pair.Dialler.ConfirmNoStreams(pair.Tenant, RunId.New(), 3, TimeSpan.FromSeconds(20), default);
        var cut = await Next(lines);
        ((string)cut["type"]!, (long)cut["belowFence"]!).ShouldBe(("cut", 4));
        (await Send(http, HttpMethod.Put, $"/v1/connector/cuts/{cut["id"]}", "")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await confirming).ShouldBeTrue();
    }

    [Theory]
    [InlineData("0")]
    [InlineData("2")]
    [InlineData("one")]
    [InlineData(null)]
    public async Task Another_version_is_answered_with_the_accepted_ones(string? version)
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var http = OldConnector(pair.Port, version);
        foreach (var path in new[] { "/v1/connector/attach", "/v1/connector/check" })
        {
            using var answer = await Send(http, HttpMethod.Get, path, null);
            ((int)answer.StatusCode, answer.Headers.GetValues("netautomation-protocols-accepted").Single(),
                answer.Headers.GetValues("netautomation-reason").Single()).ShouldBe((426, "1-1", "version"));
        }
    }

    /// <summary>The other direction: a service of version 1 whose messages also contain members of a newer version.</summary>
    [Fact]
    public async Task Service_of_version_1_is_served_by_this_connector()
    {
        using var device = new TestDevice();
        var (attached, confirmed) = (new TaskCompletionSource<JsonNode>(), new TaskCompletionSource());
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(ConnectorPair.Certificate);
        }));
        await using var service = builder.Build();
        service.Run(async http =>
        {
            switch ($"{http.Request.Method} {http.Request.Path}")
            {
                case "GET /v1/connector/challenge":
                    await http.Response.WriteAsync("""{"nonce":"bm9uY2U","tomorrow":1}""");
                    break;
                case "GET /v1/connector/attach" when http.Request.Headers["netautomation-protocol"] == "1":
                    attached.TrySetResult(JsonNode.Parse(Unsigned(http.Request.Headers["netautomation-proof"].ToString()))!);
                    var dial =
                        $$"""{"type":"dial","id":"ZGlhbA","device":"dev_1","host":"127.0.0.1","port":{{device.Port}}"""
                        + ""","run":"run_1","fence":7,"exclusive":true,"deadlineMs":5000,"tomorrow":"x"}""";
                    await http.Response.WriteAsync($$$"""
                        {"type":"hello","session":"cse_1","replica":"r1","maxTunnels":256,"serverTime":"2026-11-01T10:00:00+00:00"}
                        {"type":"tomorrow","x":{"y":[1,2]}}
                        {"type":"fences","devices":[{"device":"dev_9","fence":8,"tomorrow":true}]}
                        {"type":"permit","run":"run_1","fence":7,"ttlMs":25000}
                        {{{dial}}}

                        """.ReplaceLineEndings("\n"));
                    await http.Response.Body.FlushAsync();
                    await confirmed.Task;
                    break;
                case "POST /v1/connector/tunnels/ZGlhbA":
                    await http.Response.WriteAsync("command");
                    await http.Response.CompleteAsync();
                    await http.Request.Body.CopyToAsync(Stream.Null);
                    confirmed.TrySetResult();
                    break;
                default:
                    http.Response.StatusCode = 404;
                    break;
            }
        });
        await service.StartAsync();
        var folder = Directory.CreateTempSubdirectory("wire-");
        using var key = Proof.CreateKey();
        StateFiles.Replace(Path.Combine(folder.FullName, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        var id = ConnectorId.New();
        new ConnectorState(
            $"{id}", "one", "nowhere.invalid", new Uri(service.Urls.Single()).Port, ConnectorPair.ServerName, "127.0.0.1",
            ConnectorPair.CaPem).Save(folder.FullName);
        await using (new RunningConnector(id, folder.FullName, device.Allowed, TimeProvider.System, 1))
        {
            var statement = await attached.Task.WaitAsync(Eventually.Limit);
            ((string)statement["nonce"]!, (string)statement["connector"]!, (long)statement["highestFence"]!)
                .ShouldBe(("bm9uY2U", $"{id}", 0));
            using var socket = await device.Accept();
            (await DeviceStreamTests.ReadAll(new NetworkStream(socket))).ShouldBe("command"u8.ToArray());
            socket.Shutdown(SocketShutdown.Send);
            await confirmed.Task.WaitAsync(Eventually.Limit);
        }

        folder.Delete(recursive: true);
    }

    private static object Read(Type type, string json) => JsonSerializer.Deserialize(json, TunnelJson.Default.GetTypeInfo(type)!)!;

    private static bool Contains(JsonNode whole, JsonNode part) => part is JsonObject members
        ? members.All(
            m => whole.AsObject().TryGetPropertyValue(m.Key, out var value)
                && (m.Value is null ? value is null : value is not null && Contains(value, m.Value)))
        : part is JsonArray items
            ? whole is JsonArray all && all.Count == items.Count && items.Zip(all).All(pair => Contains(pair.Second!, pair.First!))
        : JsonNode.DeepEquals(whole, part);

    private static HttpClient OldConnector(int port, string? version = "1")
    {
        var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = ConnectorPair.ServerName,
                CertificateChainPolicy =
                    ServiceHost.Trust(new(ConnectorPair.Certificate, [], ConnectorPair.ServerName, ConnectorPair.CaPem)),
            },
        })
        { BaseAddress = new Uri($"https://127.0.0.1:{port}") };
        http.DefaultRequestHeaders.Host = ConnectorPair.ServerName;
        if (version is not null)
        {
            http.DefaultRequestHeaders.Add("netautomation-protocol", version);
        }

        return http;
    }

    private static async Task<string> Nonce(HttpClient http)
    {
        using var answer = await Send(http, HttpMethod.Get, "/v1/connector/challenge", null);
        return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["nonce"]!;
    }

    private static Task<HttpResponseMessage> Send(HttpClient http, HttpMethod method, string path, string? body) =>
        http.SendAsync(new HttpRequestMessage(method, path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body is null
            ? null : new ByteArrayContent(
                Encoding.UTF8.GetBytes(body))
            { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        });

    private static async Task<JsonNode> Next(StreamReader lines) =>
        JsonNode.Parse((await lines.ReadLineAsync().WaitAsync(Eventually.Limit))!)!;

    private static string Sign(ECDsa key, string purpose, string statement)
    {
        var payload = Url(Encoding.UTF8.GetBytes(statement));
        var text = $"netautomation-connector-{purpose}-1\n{payload}";
        return $"{payload}.{Url(key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256))}";
    }

    private static string Url(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static string Unsigned(string proof)
    {
        var payload = proof.Split('.')[0].Replace('-', '+').Replace('_', '/');
        return Encoding.UTF8.GetString(Convert.FromBase64String(payload.PadRight((payload.Length + 3) / 4 * 4, '=')));
    }
}
