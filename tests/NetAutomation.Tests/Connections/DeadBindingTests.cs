using System.Net;
using System.Net.Security;
using Amazon.EC2;
using Amazon.Runtime;
using Amazon.SQS;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.AwsSimulator;
using NetAutomation.Connections;
using NetAutomation.Connectors.Links;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Tests.Connections;

/// <summary>Changes of an endpoint by its owner, and the open connections through it on every process.</summary>
public sealed class DeadBindingTests(PostgresServer postgres) : IAsyncLifetime
{
    // Not CreateTenant's account, because this EC2 does not know its endpoints.
    private const string Service = "vpce-svc-0fedcba9876543210";
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private SimulatedCloud _cloud = null!;
    private TestDatabase _database = null!;
    private ServiceHost _reconciling = null!;
    private ServiceHost _other = null!;

    public async ValueTask InitializeAsync()
    {
        _cloud = await SimulatedCloud.StartAsync(
            SimulatedCloud.Options() with
            {
                Services = [new ServiceOptions(Service) { AllowedPrincipals = ["*"] }],
                Queues = ["events", "connections"]
            });
        _database = await postgres.Create();
        _reconciling = await Start("scheduler", "Onboarding:ReconcileInterval=00:00:00.5", "Onboarding:PendingInterval=00:00:00.2");
        _other = await Start("api");
    }

    public async ValueTask DisposeAsync()
    {
        await _other.DisposeAsync();
        await _reconciling.DisposeAsync();
        await _cloud.DisposeAsync();
    }

    [Fact]
    public async Task A_deleted_endpoint_takes_its_open_connections_along_on_every_process()
    {
        var (tenant, endpoint) = await Connected();
        var open = new List<Task<bool>>();
        foreach (var host in new[] { _reconciling, _other })
        {
            open.Add(Closes(await KeptAlive(host, endpoint)));
            open.Add(
                Closes(await Handshake(
                    host, host.Services.GetRequiredService<ConnectorHost>().Address.Port, endpoint, SslApplicationProtocol.Http2)));
            foreach (var http2 in new[] { false, true })
            {
                var client = host.Customer(endpoint, tenant.Key, http2);
                (await client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
                open.Add(Closes(client));
            }
        }

        await Task.Delay(100);
        open.ShouldAllBe(each => !each.IsCompleted);
        await _cloud.ControlAsync(HttpMethod.Delete, $"/control/endpoints/{endpoint}");
        (await Task.WhenAll(open)).ShouldAllBe(ended => ended);
    }

    [Fact]
    public async Task The_same_id_of_another_owner_is_another_connection_and_nothing_of_before_stays_open()
    {
        var (mine, endpoint) = await Connected();
        var next = await _reconciling.CreateTenant();
        var open = new List<Task<bool>>();
        foreach (var host in new[] { _reconciling, _other })
        {
            open.Add(Closes(await KeptAlive(host, endpoint, mine.Key)));
        }

        await _cloud.ControlAsync(
            HttpMethod.Post, "/control/endpoints:recreate", new { vpceIds = new[] { endpoint }, owner = next.Account });
        (await Task.WhenAll(open)).ShouldAllBe(ended => ended);
        foreach (var host in new[] { _reconciling, _other })
        {
            await WaitForAccess(host, endpoint, next.Key);
            using var late = host.Customer(endpoint, mine.Key);
            (await late.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task A_signal_reaches_another_process()
    {
        await using var source = NpgsqlDataSource.Create(_database.App);
        using var here = new BindingBell(source, TimeProvider.System, NullLogger<BindingBell>.Instance);
        using var there = new BindingBell(source, TimeProvider.System, NullLogger<BindingBell>.Instance);
        await here.StartAsync(CancellationToken.None);
        await there.StartAsync(CancellationToken.None);
        // Notifications before the listener is ready are lost, which is why there is a sweep.
        var woken = false;
        for (var tries = 0; !woken && tries < 100; tries++)
        {
            here.Ring();
            woken = await there.Wait(TimeSpan.FromMilliseconds(200), CancellationToken.None);
        }

        woken.ShouldBeTrue();
        await here.StopAsync(CancellationToken.None);
        await there.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_notification_of_any_body_makes_it_look_and_a_storm_makes_few_rounds()
    {
        // This host reconciles by itself only once an hour, and the other host of the test must not do it instead.
        await _reconciling.DisposeAsync();
        _reconciling = await Start(
            "scheduler", "Onboarding:ReconcileInterval=01:00:00", "Onboarding:PendingInterval=00:00:02",
            $"Onboarding:NotificationQueueUrl={_cloud.AwsUrl}{SimulatedCloud.Provider}/connections");
        var tenant = await _reconciling.CreateTenant();
        await Eventually.Holds(async () => await Rounds() > 0);
        var endpoint = await CreateEndpoint(tenant.Account);
        await Notify("not json");
        await Eventually.Holds(async () => await _cloud.StateAsync(endpoint) == "available");

        var (before, begun) = (await Rounds(), TimeProvider.System.GetTimestamp());
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 1000), new ParallelOptions { MaxDegreeOfParallelism = 4 },
            async (i, _) => await Notify(new { message = i }));
        await Eventually.Holds(async () =>
        {
            var queue = (await _cloud.ControlAsync(HttpMethod.Get, "/control/queues")).EnumerateArray()
                .Single(each => each.GetProperty("name").GetString() == "connections");
            return queue.GetProperty("visible").GetInt32() + queue.GetProperty("inFlight").GetInt32() == 0;
        });
        await Eventually.Holds(async () => await Rounds() > before);
        // At most one round per second, however many notifications come.
        (await Rounds() - before).ShouldBeInRange(1, (int)TimeProvider.System.GetElapsedTime(begun).TotalSeconds + 2);
    }

    private async Task<ServiceHost> Start(string role, params string[] settings)
    {
        var credentials = new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
        var url = _cloud.AwsUrl.ToString();
        return await ServiceHost.Start(
            _database,
            [$"Onboarding:ServiceId={Service}", $"Onboarding:ServiceName=com.amazonaws.vpce.us-east-1.{Service}", $"Roles:1={role}",
                .. settings],
            builder =>
            {
                builder.Services.AddSingleton<IAmazonEC2>(
                    new AmazonEC2Client(credentials, new AmazonEC2Config { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonSQS>(
                    new AmazonSQSClient(credentials, new AmazonSQSConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
            });
    }

    /// <summary>Creates a tenant with a bound endpoint that EC2 knows.</summary>
    private async Task<(TestTenant Tenant, string Endpoint)> Connected()
    {
        var tenant = await _reconciling.CreateTenant();
        var endpoint = await CreateEndpoint(tenant.Account);
        await WaitForAccess(_reconciling, endpoint, tenant.Key);
        await WaitForAccess(_other, endpoint, tenant.Key);
        return (tenant, endpoint);
    }

    private async Task<string> CreateEndpoint(string account) =>
        (await _cloud.ControlAsync(HttpMethod.Post, "/control/endpoints", new { account }, 201)).GetProperty("vpceId").GetString()!;

    private Task<System.Text.Json.JsonElement> Notify(object body) =>
        _cloud.ControlAsync(HttpMethod.Post, "/control/queues/connections/messages", new { body }, 201);

    private async Task<int> Rounds() => (await _cloud.ControlAsync(HttpMethod.Get, "/control/calls")).EnumerateArray()
        .Where(call => call.GetProperty("operation").GetString()!.EndsWith("DescribeVpcEndpointConnections", StringComparison.Ordinal))
            .Select(call => call.GetProperty("calls").GetInt32()).FirstOrDefault();

    private static Task WaitForAccess(ServiceHost host, string endpoint, string key) => Eventually.Holds(async () =>
    {
        try
        {
            using var client = host.Customer(endpoint, key);
            return (await client.GetAsync("/v1/me")).StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            // The service may close a connection of an endpoint that is not bound yet instead of answering.
            return false;
        }
    });

    /// <summary>An HTTP/1.1 connection that has sent one request and then is silent.</summary>
    private static async Task<Stream> KeptAlive(ServiceHost host, string endpoint, string? key = null)
    {
        var tls = await Handshake(host, host.Address(Listener.Customer).Port, endpoint, SslApplicationProtocol.Http11);
        var request = key is null
            ? "GET /healthz/live HTTP/1.1\r\nHost: x\r\n\r\n" : $"GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n";
        await tls.WriteAsync(System.Text.Encoding.ASCII.GetBytes(request));
        var answer = new byte[4096];
        var read = await tls.ReadAsync(answer);
        System.Text.Encoding.ASCII.GetString(answer, 0, read).ShouldStartWith("HTTP/1.1 200");
        return tls;
    }

    private static async Task<SslStream> Handshake(ServiceHost host, int port, string endpoint, SslApplicationProtocol protocol)
    {
        var tls =
            new SslStream(
                await ProxyV2.Connect(new IPEndPoint(IPAddress.Loopback, port), ProxyV2.Header(endpoint), CancellationToken.None));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = host.Certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(host.Certificate),
            ApplicationProtocols = [protocol],
        });
        return tls;
    }

    private static async Task<bool> Closes(Stream stream)
    {
        await using var open = stream;
        using var patience = new CancellationTokenSource(_patience);
        try
        {
            while (await stream.ReadAsync(new byte[4096], patience.Token) > 0)
            {
                // Data that was in flight before the end, such as HTTP/2 settings.
            }
        }
        catch (IOException)
        {
            // The connection was reset.
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        return true;
    }

    /// <summary>A long poll that has nothing to answer ends with its connection.</summary>
    private static async Task<bool> Closes(HttpClient client)
    {
        using var patience = new CancellationTokenSource(_patience);
        try
        {
            var feed = System.Text.Json.JsonElement.Parse(await client.GetStringAsync("/v1/feed", patience.Token));
            using var answer = await client.GetAsync($"/v1/feed?wait=60&after={feed.GetProperty("next").GetString()}", patience.Token);
            return false;
        }
        catch (HttpRequestException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
