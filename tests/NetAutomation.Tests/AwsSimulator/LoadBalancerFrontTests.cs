using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

public sealed class LoadBalancerFrontTests
{
    [Fact]
    public async Task Header_arrives_with_the_first_payload_and_not_before()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var (id, address) = await cloud.CreateEndpointAsync(accepted: true);
        using var client = await ConnectAsync(address);
        using var behind = await target.AcceptClientAsync();

        await behind.SendAsync("early"u8.ToArray());
        (await ReadAsync(client, 5)).ShouldBe("early"u8.ToArray());
        behind.Available.ShouldBe(0);

        await client.SendAsync("hello"u8.ToArray());
        var received = await ReadAsync(behind, 105);
        received[..16].ShouldBe(Convert.FromHexString("0d0a0d0a000d0a515549540a21110054"));
        new IPEndPoint(new IPAddress(received[16..20]), (received[24] << 8) | received[25]).ShouldBe(client.LocalEndPoint);
        received[28..31].ShouldBe(Convert.FromHexString("030004"));
        received[35..39].ShouldBe(Convert.FromHexString("ea001701"));
        Encoding.ASCII.GetString(received[39..61]).ShouldBe(id);
        received[100..].ShouldBe("hello"u8.ToArray());

        await client.SendAsync("more"u8.ToArray());
        (await ReadAsync(behind, 4)).ShouldBe("more"u8.ToArray());
    }

    [Fact]
    public async Task Half_closed_client_still_gets_the_answer()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var (_, address) = await cloud.CreateEndpointAsync(accepted: true);
        using var client = await ConnectAsync(address);
        using var behind = await target.AcceptClientAsync();

        var question = new byte[300_000];
        Random.Shared.NextBytes(question);
        var sending = SendAndFinishAsync(client, question);
        (await ReadAsync(behind, 100 + question.Length))[100..].ShouldBe(question);
        await sending;
        (await behind.ReceiveAsync(new byte[1])).ShouldBe(0);
        await behind.SendAsync("answer"u8.ToArray());
        behind.Shutdown(SocketShutdown.Send);
        (await ReadAsync(client, 6)).ShouldBe("answer"u8.ToArray());
        (await client.ReceiveAsync(new byte[1])).ShouldBe(0);
    }

    [Fact]
    public async Task Reset_of_the_target_resets_the_client()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var (_, address) = await cloud.CreateEndpointAsync(accepted: true);
        using var client = await ConnectAsync(address);
        await client.SendAsync("x"u8.ToArray());
        var behind = await target.AcceptClientAsync();
        await ReadAsync(behind, 101);
        behind.LingerState = new LingerOption(true, 0);
        behind.Dispose();
        await ShouldBeResetAsync(client);
    }

    [Fact]
    public async Task Silent_flow_is_reset_after_the_idle_timeout()
    {
        using var target = new TcpTarget();
        var options = SimulatedCloud.Options(target.Address);
        await using var cloud =
            await SimulatedCloud.StartAsync(options with { LoadBalancer = options.LoadBalancer with { IdleTimeoutSeconds = 0.5 } });
        using var client = await ConnectAsync(await cloud.DirectAddressAsync());
        await client.SendAsync("x"u8.ToArray());
        using var behind = await target.AcceptClientAsync();
        await ReadAsync(behind, 101);
        await ShouldBeResetAsync(client);
        await ShouldBeResetAsync(behind);
    }

    [Fact]
    public async Task Rejection_cuts_open_flows_and_refuses_new_ones()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var (id, address) = await cloud.CreateEndpointAsync(accepted: true);
        using var client = await ConnectAsync(address);
        await client.SendAsync("x"u8.ToArray());
        using var behind = await target.AcceptClientAsync();
        await ReadAsync(behind, 101);

        (await cloud.DecideAsync("Reject", id)).ShouldBeEmpty();
        await ShouldBeResetAsync(client);
        await ShouldBeResetAsync(behind);
        await ShouldBeRefusedAsync(address);

        await cloud.ControlAsync(HttpMethod.Delete, $"/control/endpoints/{id}");
        (await cloud.NlbAsync()).GetProperty("listeners").EnumerateArray()
            .ShouldNotContain(l => l.GetProperty("endpoint").ToString() == id);
    }

    [Fact]
    public async Task Endpoint_that_waits_for_acceptance_forwards_nothing()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var (_, address) = await cloud.CreateEndpointAsync(accepted: false);
        await ShouldBeRefusedAsync(address);
        var listener = (await cloud.NlbAsync()).GetProperty("listeners").EnumerateArray()
            .Single(l => l.GetProperty("address").GetString() == address.ToString());
        listener.GetProperty("refused").GetInt64().ShouldBe(1);
        listener.GetProperty("accepted").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task Direct_client_gets_a_header_without_an_endpoint()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        using var client = await ConnectAsync(await cloud.DirectAddressAsync());
        await client.SendAsync("x"u8.ToArray());
        using var behind = await target.AcceptClientAsync();
        var received = await ReadAsync(behind, 101);
        received[12].ShouldBe((byte)0x21);
        received[35].ShouldBe((byte)0x04, "The checksum is followed by padding, not by an endpoint id.");
    }

    [Fact]
    public async Task Header_is_left_out_when_the_attribute_is_off()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(target.Address));
        var arn = (await cloud.NlbAsync()).GetProperty("targetGroups")[0].GetProperty("arn").GetString()!;
        var (status, _) = await cloud.QueryAsync(SimulatedCloud.Provider, "elasticloadbalancing",
            $"Action=ModifyTargetGroupAttributes&TargetGroupArn={Uri.EscapeDataString(arn)}"
            + "&Attributes.member.1.Key=proxy_protocol_v2.enabled&Attributes.member.1.Value=false");
        status.ShouldBe(200);
        using var client = await ConnectAsync(await cloud.DirectAddressAsync());
        await client.SendAsync("bare"u8.ToArray());
        using var behind = await target.AcceptClientAsync();
        (await ReadAsync(behind, 4)).ShouldBe("bare"u8.ToArray());
    }

    [Fact]
    public async Task Traffic_leaves_an_unhealthy_target()
    {
        using var steady = new TcpTarget();
        var failing = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(steady.Address, failing.Address));
        await Eventually.Holds(async () => (await HealthAsync(cloud)).All(h => h == "healthy"));
        failing.Dispose();
        await Eventually.Holds(async () => (await HealthAsync(cloud)) is ["healthy", "unhealthy"]);

        var direct = await cloud.DirectAddressAsync();
        for (var i = 0; i < 4; i++)
        {
            using var client = await ConnectAsync(direct);
            await client.SendAsync("x"u8.ToArray());
            using var behind = await steady.AcceptClientAsync();
            await ReadAsync(behind, 101);
        }
    }

    [Fact]
    public async Task Traffic_still_flows_when_every_target_is_unhealthy()
    {
        using var target = new TcpTarget();
        // Bound but not listening: it refuses connections, and no other process can take the port.
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var options = SimulatedCloud.Options(target.Address);
        var groups =
            options.LoadBalancer.TargetGroups.Select(
                g => g with { HealthCheck = g.HealthCheck with { Port = ((IPEndPoint)closed.LocalEndPoint!).Port } }).ToList();
        await using var cloud =
            await SimulatedCloud.StartAsync(options with { LoadBalancer = options.LoadBalancer with { TargetGroups = groups } });
        await Eventually.Holds(async () => await HealthAsync(cloud) is ["unhealthy"]);
        using var client = await ConnectAsync(await cloud.DirectAddressAsync());
        await client.SendAsync("x"u8.ToArray());
        using var behind = await target.AcceptClientAsync();
        (await ReadAsync(behind, 101))[100].ShouldBe((byte)'x');
    }

    [Theory]
    [InlineData("200 OK", "healthy", null)]
    [InlineData("503 Service Unavailable", "unhealthy", "Target.ResponseCodeMismatch")]
    public async Task Https_check_sends_a_local_header_before_tls(string answer, string state, string? reason)
    {
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=target", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeOneCheckAsync(listener, certificate, answer);
        var options = SimulatedCloud.Options((IPEndPoint)listener.LocalEndpoint);
        var check =
            new HealthCheckOptions
            {
                Protocol = "HTTPS", Path = "/healthz/ready", IntervalMilliseconds = 60_000, TimeoutMilliseconds = 20_000,
                UnhealthyThreshold = 1
            };
        var groups = options.LoadBalancer.TargetGroups.Select(g => g with { HealthCheck = check }).ToList();
        await using var cloud =
            await SimulatedCloud.StartAsync(options with { LoadBalancer = options.LoadBalancer with { TargetGroups = groups } });

        var (header, request) = await serving.WaitAsync(TimeSpan.FromSeconds(20));
        header[12].ShouldBe((byte)0x20);
        request.ShouldBe("GET /healthz/ready HTTP/1.1");
        await Eventually.Holds(async () => await HealthAsync(cloud) is [var now] && now == state);
        (await cloud.NlbAsync()).GetProperty("targetGroups")[0].GetProperty("targets")[0].GetProperty("reason").GetString()
            .ShouldBe(reason);
    }

    [Fact]
    public async Task Registered_target_becomes_healthy_and_a_deregistered_one_drains()
    {
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var groups = (await cloud.NlbAsync()).GetProperty("targetGroups");
        var arn = groups[0].GetProperty("arn").GetString()!;
        await ChangeAsync("RegisterTargets");
        await Eventually.Holds(async () => await HealthAsync(cloud, arn) is ["healthy"]);
        await ChangeAsync("DeregisterTargets");
        (await HealthAsync(cloud, arn)).ShouldBe(["draining"]);
        (await HealthAsync(cloud, arn, "&Targets.member.1.Id=127.0.0.1&Targets.member.1.Port=1")).ShouldBe(["unused"]);

        async Task ChangeAsync(string action) =>
            (await cloud.QueryAsync(SimulatedCloud.Provider, "elasticloadbalancing",
                $"Action={action}&TargetGroupArn={Uri.EscapeDataString(arn)}"
                + $"&Targets.member.1.Id=127.0.0.1&Targets.member.1.Port={target.Address.Port}")).Status.ShouldBe(200);
    }

    private static async Task<(byte[] Header, string? Request)> ServeOneCheckAsync(
        TcpListener listener, X509Certificate2 certificate, string answer)
    {
        using var socket = await listener.AcceptSocketAsync();
        var header = await ReadAsync(socket, 100);
        await using var tls = new SslStream(new NetworkStream(socket));
        await tls.AuthenticateAsServerAsync(certificate);
        using var reader = new StreamReader(tls);
        var request = await reader.ReadLineAsync();
        await tls.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"));
        return (header, request);
    }

    private static async Task<List<string>> HealthAsync(SimulatedCloud cloud, string? arn = null, string more = "")
    {
        arn ??= (await cloud.NlbAsync()).GetProperty("targetGroups")[0].GetProperty("arn").GetString()!;
        var (status, body) =
            await cloud.QueryAsync(
                SimulatedCloud.Provider, "elasticloadbalancing",
                $"Action=DescribeTargetHealth&TargetGroupArn={Uri.EscapeDataString(arn)}{more}");
        status.ShouldBe(200);
        return SimulatedCloud.Values(body, "State");
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        return socket;
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        var bytes = new byte[count];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        for (var read = 0; read < count;)
        {
            var n = await socket.ReceiveAsync(bytes.AsMemory(read), limit.Token);
            n.ShouldBeGreaterThan(0, "The connection ended early.");
            read += n;
        }
        return bytes;
    }

    private static async Task SendAndFinishAsync(Socket socket, byte[] bytes)
    {
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(bytes);
        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task ShouldBeResetAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var error = await Should.ThrowAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[1], limit.Token));
        error.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
    }

    private static async Task ShouldBeRefusedAsync(IPEndPoint address)
    {
        // The reset may be seen by the connect or by the first read.
        var error = await Should.ThrowAsync<SocketException>(async () =>
        {
            using var client = await ConnectAsync(address);
            await client.ReceiveAsync(new byte[1]).WaitAsync(TimeSpan.FromSeconds(20));
        });
        error.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
    }
}
