using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Connector;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

/// <summary>Every defect has its own message and code in the program's output.</summary>
public sealed class DoctorTests(PostgresServer postgres) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("doctor-");

    private string AllowList => Path.Combine(_folder.FullName, "allow");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_healthy_connector_passes_the_doctor_and_continues_undisturbed()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        using var session = await device.Accept();
        _ = Speak(device, "SSH-2.0-OpenSSH_9.2\r\n");
        await File.WriteAllTextAsync(AllowList, device.Allowed);
        var (exit, output) =
            await ConnectorProcess.Finish(
                ConnectorProcess.Start(
                    null, "doctor", "--state", connector.Folder, "--allow-list", AllowList, "--device", $"127.0.0.1:{device.Port}"));
        exit.ShouldBe(0, output);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]).ShouldBe(
            new[] { "state", "dns", "tcp", "tls", "clock", "key", "protocol", "allow-list", "device" }.Select(step => new[] { "ok", step }),
            output);
        lines.Single(l => l.Contains(" key ", StringComparison.Ordinal)).ShouldContain("1 attached now");
        lines[^1].ShouldContain("SSH-2.0-OpenSSH_9.2");
        await stream.WriteAsync("still"u8.ToArray());
        (await session.ReceiveAsync(new byte[5])).ShouldBe(5);
        (await pair.Sql<long>("select count(*) from connectors.connector_session")).ShouldBe(1);
        (await pair.Sql<string>("select state from connectors.connector")).ShouldBe("active");
    }

    [Theory]
    [InlineData("state-missing")]
    [InlineData("not-joined")]
    [InlineData("state-damaged")]
    [InlineData("fences-damaged", "state-damaged")]
    [InlineData("generation-damaged", "state-damaged")]
    [InlineData("key-missing")]
    [InlineData("key-damaged")]
    [InlineData("key-readable")]
    [InlineData("state-writable")]
    public async Task State_directory(string fault, string? code = null)
    {
        var state = Joined(1);
        var key = Path.Combine(state, "key.pem");
        switch (fault)
        {
            case "state-missing":
                Directory.Delete(state, recursive: true);
                break;
            case "not-joined":
                File.Delete(Path.Combine(state, "connector.json"));
                break;
            case "state-damaged":
                await File.WriteAllTextAsync(Path.Combine(state, "connector.json"), """{"connector":"con_1"}""");
                break;
            case "fences-damaged":
                await File.WriteAllTextAsync(Path.Combine(state, "fences"), "dev_1 many\n");
                break;
            case "generation-damaged":
                await File.WriteAllTextAsync(Path.Combine(state, "generation"), "x");
                break;
            case "key-missing":
                File.Delete(key);
                break;
            case "key-damaged":
                await File.WriteAllTextAsync(key, "nothing");
                break;
            case "key-readable":
                File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
                break;
            default:
                File.SetUnixFileMode(
                    state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherWrite);
                break;
        }

        await Wrong(state, "state", code ?? fault);
    }

    [Theory]
    [InlineData("state-unreadable", UnixFileMode.None)]
    [InlineData("state-read-only", UnixFileMode.UserRead | UnixFileMode.UserExecute)]
    public async Task State_directory_of_another_user(string code, UnixFileMode mode)
    {
        Assert.SkipWhen(Environment.UserName != "root", "Only root can be another user.");
        var state = Joined(1);
        await File.WriteAllTextAsync(AllowList, "");
        foreach (var file in Directory.GetFileSystemEntries(state).Append(state))
        {
            (await ConnectorProcess.Finish(ConnectorProcess.StartProgram("chown", null, "65534", file))).Exit.ShouldBe(0);
        }

        File.SetUnixFileMode(
            _folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        File.SetUnixFileMode(state, mode);
        string[] doctor =
            ["--reuid", "65534", "--regid", "65534", "--clear-groups", ConnectorProcess.Program, "doctor", "--json", "--state", state,
                "--allow-list", AllowList];
        var (_, output) = await ConnectorProcess.Finish(ConnectorProcess.StartProgram("setpriv", null, doctor));
        Codes(output)["state"].ShouldBe(code, output);
    }

    [Fact]
    public async Task Name_of_the_endpoint_that_nobody_knows() =>
        await Wrong(Joined(1, s => s with { Address = null, Endpoint = "nowhere.invalid" }), "dns", "dns-unknown");

    [Fact]
    public async Task Endpoint_that_refuses_tcp()
    {
        var closed = new TestDevice();
        closed.Dispose();
        await Wrong(Joined(closed.Port), "tcp", "tcp-refused");
    }

    [Fact]
    public async Task Endpoint_that_does_not_answer()
    {
        using var full = new SilentPort();
        await Wrong(Joined(full.Port), "tcp", "tcp-timeout");
    }

    [Fact]
    public async Task Port_without_tls()
    {
        using var device = new TestDevice();
        _ = Speak(device, "220 welcome\r\n");
        await Wrong(Joined(device.Port), "tls", "tls-none");
    }

    [Theory]
    [InlineData("tls-name", "other.test", -1, 30)]
    [InlineData("tls-expired", ConnectorPair.ServerName, -30, -1)]
    [InlineData("tls-not-yet-valid", ConnectorPair.ServerName, 1, 30)]
    [InlineData("tls-authority", ConnectorPair.ServerName, -1, 30)]
    [InlineData("tls-no-http2", ConnectorPair.ServerName, -1, 30)]
    public async Task Certificate(string code, string name, int from, int until)
    {
        using var certificate = Make(name, from, until);
        using var server = new TestDevice();
        _ = Task.Run(async () =>
        {
            await using var tls = new SslStream(new NetworkStream(await server.Accept(), ownsSocket: true));
            var h2 = code == "tls-no-http2" ? null : new List<SslApplicationProtocol> { SslApplicationProtocol.Http2 };
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = h2 });
            await tls.CopyToAsync(Stream.Null);
        });
        await Wrong(
            Joined(server.Port, s => s with { CaPem = code == "tls-authority" ? s.CaPem : certificate.ExportCertificatePem() }), "tls",
            code);
    }

    [Fact]
    public async Task Authority_that_cannot_be_read()
    {
        using var server = new TestDevice();
        await Wrong(Joined(server.Port, s => s with { CaPem = "nothing" }), "tls", "ca-damaged");
    }

    [Theory]
    [InlineData("clock-off", "clock")]
    [InlineData("version-refused", "protocol")]
    [InlineData("refused", "key")]
    [InlineData("no-answer", "clock")]
    public async Task Service_that_answers_strangely(string code, string step)
    {
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
            switch (code)
            {
                case "clock-off":
                    http.Response.Headers.Date = DateTimeOffset.UtcNow.AddMinutes(-6).ToString("r");
                    break;
                case "no-answer":
                    http.Abort();
                    break;
                case "refused":
                    http.Response.StatusCode = StatusCodes.Status500InternalServerError;
                    break;
                case "version-refused" when http.Request.Path == TunnelProtocol.ChallengePath:
                    await http.Response.WriteAsync("""{"nonce":"n"}""");
                    break;
                default:
                    http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
                    http.Response.Headers[TunnelProtocol.AcceptedHeader] = "7-9";
                    break;
            }
        });
        await service.StartAsync();
        var message = await Wrong(Joined(new Uri(service.Urls.Single()).Port), step, code);
        if (code == "version-refused")
        {
            message.ShouldContain("7-9");
        }
    }

    [Fact]
    public async Task Connector_that_the_service_refuses()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, state) = await pair.Join(token);
        pair.EndpointTenant = null;
        await Wrong(state, "key", "endpoint-unknown");
        pair.EndpointTenant = TenantId.New();
        await Wrong(state, "key", "key-unknown");
        pair.EndpointTenant = pair.Tenant;
        await pair.Sql<Guid>("update connectors.connector set state = 'cloned' returning id");
        (await Wrong(state, "key", "cloned")).ShouldContain("two copies");
        await pair.Sql<Guid>("update connectors.connector set state = 'revoked' returning id");
        await Wrong(state, "key", "revoked");
    }

    [Fact]
    public async Task Draining_service_is_a_warning()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, state) = await pair.Join(token);
        await pair.Hub.Drain(TimeSpan.Zero, default);
        await File.WriteAllTextAsync(AllowList, "10.0.0.0/8 22");
        var (exit, output) = await Run(state);
        exit.ShouldBe(0, output);
        Codes(output)["key"].ShouldBe("service-draining");
    }

    [Theory]
    [InlineData("allow-list-missing", null, 1)]
    [InlineData("allow-list-faulty", "10.0.0.1/8 22", 1)]
    [InlineData("allow-list-empty", "# none", 0)]
    [InlineData("allow-list-open", "0.0.0.0/0 22", 0)]
    [InlineData("allow-list-open", "::/0 22", 0)]
    public async Task Allow_list(string code, string? text, int exit)
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, state) = await pair.Join(token);
        if (text is not null)
        {
            await File.WriteAllTextAsync(AllowList, text);
        }

        var result = await Run(state, "--device", "192.0.2.1:22");
        Codes(result.Output)["allow-list"].ShouldBe(code, result.Output);
        if (text is null or "10.0.0.1/8 22")
        {
            result.Exit.ShouldBe(1);
            Node(result.Output, "device")["verdict"]!.GetValue<string>().ShouldBe("skipped");
        }

        (await Run(state)).Exit.ShouldBe(exit, result.Output);
    }

    [Fact]
    public async Task Devices()
    {
        using var refusing = new TestDevice();
        var refused = refusing.Port;
        refusing.Dispose();
        using var silent = new TestDevice();
        using var web = new TestDevice();
        using var closing = new TestDevice();
        using var healthy = new TestDevice();
        using var full = new SilentPort();
        _ = Speak(web, "HTTP/1.1 400 Bad Request\r\n\r\n");
        _ = Speak(closing, null);
        _ = Speak(healthy, "a notice\r\nSSH-2.0-\u001b[31mX\r\n");
        await File.WriteAllTextAsync(
            AllowList, $"127.0.0.1 {refused},{silent.Port},{web.Port},{closing.Port},{healthy.Port},{full.Port}\n10.0.0.0/8 22");
        // The doctor tests all single addresses of the list, and one address that the list denies.
        var (exit, output) = await Run(Joined(1), "--devices", "--device", "192.0.2.1:22");
        exit.ShouldBe(1);
        var found = JsonNode.Parse(output)!["steps"]!.AsArray().Where(s => (string)s!["step"]! == "device")
            .Select(s => ((string?)s!["code"] ?? "ok", (string)s["message"]!)).ToList();
        found.Select(f => f.Item1)
            .ShouldBe(
                ["device-denied", "device-refused", "device-silent", "device-no-ssh", "device-closed", "ok", "device-timeout"],
                ignoreOrder: false);
        found.Select(f => f.Item2).Distinct().Count().ShouldBe(7);
        found[5].Item2.ShouldContain("SSH-2.0-[31mX");
        output.ShouldNotContain("\u001b");
    }

    [Theory]
    [InlineData("doctor", "--state", "x")]
    [InlineData("doctor", "--state", "x", "--allow-list", "y", "--device", "router")]
    [InlineData("doctor", "--state", "x", "--allow-list", "y", "--json", "--json")]
    [InlineData("doctor", "--state", "x", "--allow-list", "y", "operand")]
    public async Task Wrong_use_is_2(params string[] arguments) =>
        (await ConnectorProcess.Finish(ConnectorProcess.Start(null, arguments))).Exit.ShouldBe(2);

    /// <summary>Checks that this step reports the fault and all earlier steps pass. Returns its message.</summary>
    private async Task<string> Wrong(string state, string step, string code)
    {
        await File.WriteAllTextAsync(AllowList, "10.0.0.0/8 22");
        var (exit, output) = await Run(state);
        exit.ShouldBe(1, output);
        Codes(output)[step].ShouldBe(code, output);
        var steps = JsonNode.Parse(output)!["steps"]!.AsArray();
        steps.TakeWhile(s => (string)s!["step"]! != step).Select(s => (string)s!["verdict"]!)
            .ShouldAllBe(v => v == "ok" || v == "skipped", output);
        ((bool)JsonNode.Parse(output)!["ok"]!).ShouldBeFalse();
        return (string)Node(output, step)["message"]!;
    }

    private Task<(int Exit, string Output)> Run(string state, params string[] more) =>
        ConnectorProcess.Finish(ConnectorProcess.Start(null, ["doctor", "--json", "--state", state, "--allow-list", AllowList, .. more]));

    private static Dictionary<string, string?> Codes(string output) =>
        JsonNode.Parse(output)!["steps"]!.AsArray().DistinctBy(s => (string)s!["step"]!)
            .ToDictionary(s => (string)s!["step"]!, s => (string?)s!["code"]);

    private static JsonNode Node(string output, string step) =>
        JsonNode.Parse(output)!["steps"]!.AsArray().First(s => (string)s!["step"]! == step)!;

    /// <summary>Writes the state of a joined connector for a service on a port of this host.</summary>
    private string Joined(int port, Func<ConnectorState, ConnectorState>? change = null)
    {
        var state = Path.Combine(_folder.FullName, "state");
        StateFiles.CreateDirectory(state);
        using var key = Proof.CreateKey();
        StateFiles.Replace(Path.Combine(state, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        var joined =
            new ConnectorState(
                $"{ConnectorId.New()}", "one", "nowhere.invalid", port, ConnectorPair.ServerName, "127.0.0.1", ConnectorPair.CaPem);
        (change?.Invoke(joined) ?? joined).Save(state);
        return state;
    }

    private static async Task Speak(TestDevice device, string? text)
    {
        using var socket = await device.Accept();
        if (text is null)
        {
            socket.LingerState = new LingerOption(true, 0);
            return;
        }

        await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(text));
        socket.Shutdown(SocketShutdown.Send);
        await socket.ReceiveAsync(new byte[1]);
    }

    private static X509Certificate2 Make(string name, int from, int until)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(from), DateTimeOffset.UtcNow.AddDays(until));
    }

    /// <summary>A port whose backlog is full, so that further connections get no answer.</summary>
    private sealed class SilentPort : IDisposable
    {
        private readonly List<Socket> _sockets = [];

        public SilentPort()
        {
            var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(0);
            _sockets.Add(listener);
            Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
            for (var i = 0; i < 4; i++)
            {
                // Kernels admit one or two more than the backlog.
                var waiting = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(waiting);
                _ = waiting.ConnectAsync(IPAddress.Loopback, Port);
            }
        }

        public int Port { get; }

        public void Dispose() => _sockets.ForEach(s => s.Dispose());
    }
}
