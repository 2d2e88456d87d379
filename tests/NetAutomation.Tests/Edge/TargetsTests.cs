using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Amazon.EC2;
using Amazon.ElasticLoadBalancingV2;
using Amazon.Runtime;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Fleet;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Edge;

/// <summary>Processes of the service that register in target groups of the load balancer and leave them.</summary>
public sealed class TargetsTests(PostgresServer postgres) : IDisposable
{
    private const string OperatorKey = "operator-of-targets";
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(4);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-t");
    private readonly List<ServiceProcess> _processes = [];

    public void Dispose()
    {
        _processes.ForEach(process => process.Dispose());
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_process_joins_when_ready_and_leaves_without_breaking_open_requests()
    {
        await using var cloud = await SimulatedCloud.StartAsync(Options());
        var database = await postgres.Create();
        await using var host =
            await ServiceHost.Start(
                database,
                [$"Edge:CertificateDirectory={_folder.FullName}/certificates", $"Inventory:KeyDirectory={_folder.FullName}/keys"]);
        var endpoint = await cloud.ControlAsync(HttpMethod.Post, "/control/endpoints", new { account = SimulatedCloud.Customer }, 201);
        var (id, front) =
            (endpoint.GetProperty("vpceId").GetString()!, IPAddress.Parse(endpoint.GetProperty("listenAddress").GetString()!));
        (await cloud.DecideAsync("Accept", id)).ShouldBeEmpty();
        var tenant = await host.CreateTenant(endpointId: id);
        var (a, b) = (await Serve(cloud, database, "a"), await Serve(cloud, database, "b"));
        foreach (var group in (string[])["customer", "connector"])
        {
            await Until(
                async () => (await Targets(cloud, group)).Count(target => target.State == "healthy") == 2,
                $"two healthy targets of {group}");
        }

        var connector = await Attach(host, tenant, front);
        var all = await OperatorTargets(host, a);
        all.Count.ShouldBe(4);
        all.Where(target => target.GetProperty("thisProcess").GetBoolean()).Select(target => target.GetProperty("port").GetInt32())
            .ShouldBe([a.Customer, a.Connector], ignoreOrder: true);
        all.ShouldAllBe(target => target.GetProperty("state").GetString() == "healthy");

        // A request that lasts until the test ends it, at the process to which the connector is attached.
        var (leaving, staying) = await Replica(tenant, connector) == "a" ? (a, b) : (b, a);
        var (client, slow, asked) = await SlowRequest(cloud, host, front, tenant, leaving);
        leaving.Process.Signal(ServiceProcess.Terminate);
        await Until(async () => await Ready(host, leaving) != HttpStatusCode.OK, "the process to be not ready");
        await Until(
            async () => (await Targets(cloud, "customer")).All(target => target.Port != leaving.Customer || target.State == "draining"),
            "the target to drain");
        for (var i = 0; i < 10; i++)
        {
            using var other = Through(host, front, tenant.Key);
            (await other.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await Targets(cloud, "customer")).Where(target => target.Port == leaving.Customer)
                .ShouldAllBe(target => target.OpenFlows == 1);
        }

        leaving.Process.IsOver.ShouldBeFalse();
        asked.IsCompleted.ShouldBeFalse();
        slow.Finish();
        using var answer = await asked;
        using var done = client;
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, await answer.Content.ReadAsStringAsync());
        answer.Headers.ConnectionClose.ShouldBe(true, "the next request shall come to another process");

        (await leaving.Process.Ended(_limit)).ShouldBe(0, leaving.Process.Output);
        foreach (var (group, port) in new[] { ("customer", staying.Customer), ("connector", staying.Connector) })
        {
            (await Targets(cloud, group)).Select(target => target.Port).ShouldBe([port]);
        }

        await Until(
            async () => await Replica(tenant, connector) == (staying == a ? "a" : "b"),
            "the connector to be attached to the process that stays");
        using var after = Through(host, front, tenant.Key);
        (await after.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    public static TheoryData<string, string, string> Refusals => new()
    {
        { "Targets:Customer={customer}", "does not have proxy_protocol_v2.enabled=true", "bare" },
        { "Targets:Customer={customer}", "is of type instance and protocol TCP", "instance" },
        { "Targets:Connector={customer}", "is of type ip and protocol TLS", "tls" },
        { "Targets:Customer={customer}0", "there is no such target group", "customer" },
        { "Targets:Customer={customer}", "could not be read from AWS in 2 s", "unreachable" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_process_refuses_to_start_where_it_cannot_stand_behind_the_group(string setting, string message, string group)
    {
        var options = Options();
        await using var cloud = await SimulatedCloud.StartAsync(options with
        {
            LoadBalancer = options.LoadBalancer with
            {
                TargetGroups =
                [
                    .. options.LoadBalancer.TargetGroups,
                    new TargetGroupOptions("bare", 8443) { ProxyProtocolV2 = false },
                    new TargetGroupOptions("instance", 8443) { TargetType = "instance" },
                    new TargetGroupOptions("tls", 8443) { Protocol = "TLS" },
                ],
            },
        });
        var groups = (await cloud.NlbAsync()).GetProperty("targetGroups").EnumerateArray()
            .ToDictionary(each => each.GetProperty("name").GetString()!, each => each.GetProperty("arn").GetString()!);
        var arn = groups.GetValueOrDefault(group) ?? groups["customer"];
        var url = group == "unreachable" ? $"http://127.0.0.1:{Ports.Free()}" : cloud.AwsUrl.ToString();
        using var process =
            Start(url,
                [.. Settings(), "Database:App=Host=127.0.0.1;Port=1", "Database:System=Host=127.0.0.1;Port=1",
                    setting.Replace("{customer}", arn, StringComparison.Ordinal),
                    $"Targets:StartSeconds={(group == "unreachable" ? 2 : 120)}"]);
        (await process.Ended(_limit)).ShouldBe(2, process.Output);
        process.Output.ShouldContain(message);
    }

    [Fact]
    public async Task A_process_ends_in_time_although_AWS_does_not_answer()
    {
        var cloud = await SimulatedCloud.StartAsync(Options());
        var served = await Serve(cloud, await postgres.Create(), "a", "Targets:DrainSeconds=1", "Connectors:DrainSeconds=1");
        await Until(
            async () => (await Targets(cloud, "customer")).Any(target => target.State == "healthy"), "the process to be registered");
        await cloud.DisposeAsync();
        served.Process.Signal(ServiceProcess.Terminate);
        (await served.Process.Ended(_limit)).ShouldBe(0, served.Process.Output);
        served.Process.Output.ShouldContain("This process could not be taken out yet");
    }

    [Fact]
    public async Task A_group_without_proxy_protocol_is_served_where_the_operator_says_so()
    {
        var options = Options();
        await using var cloud = await SimulatedCloud.StartAsync(options with
        {
            LoadBalancer =
                options.LoadBalancer with
                {
                    TargetGroups =
                        [.. options.LoadBalancer.TargetGroups,
                            new TargetGroupOptions(
                                "bare", 8443) { ProxyProtocolV2 = false, PreserveClientIp = true, DeregistrationDelaySeconds = 1 }]
                },
        });
        await using var host = await Operated(cloud, "bare", "Targets:RequireProxyProtocol=false");
        await Until(async () => (await Targets(cloud, "bare")).Count == 1, "the process to be registered");
    }

    [Fact]
    public async Task The_operator_sees_targets_and_the_endpoint_service_and_has_its_name_verified()
    {
        var options = Options();
        await using var cloud = await SimulatedCloud.StartAsync(options with
        {
            Services = [options.Services[0] with { PrivateDnsName = "api.example.com", SupportedRegions = ["eu-west-1"] }],
        });
        await using var host = await Operated(cloud, "customer", "Cell:Name=eu-1");
        using var staff = host.Operator();
        await Until(
            async () => (await Get(staff, "/operator/v1/targets")).GetProperty("items").GetArrayLength() == 1,
            "the process to be registered");
        var target = (await Get(staff, "/operator/v1/targets")).GetProperty("items")[0];
        target.GetProperty("group").GetString().ShouldBe("customer");
        target.GetProperty("thisProcess").GetBoolean().ShouldBeTrue();

        var service = await Get(staff, "/operator/v1/endpoint-service");
        service.GetProperty("cell").GetString().ShouldBe("eu-1");
        service.GetProperty("serviceName").GetString().ShouldBe(SimulatedCloud.ServiceName);
        service.GetProperty("acceptanceRequired").GetBoolean().ShouldBeTrue();
        service.GetProperty("principals").GetInt32().ShouldBe(1);
        service.GetProperty("regions").EnumerateArray().Select(region => region.GetProperty("region").GetString())
            .ShouldBe(["us-east-1", "eu-west-1"]);
        var dns = service.GetProperty("privateDns");
        dns.GetProperty("state").GetString().ShouldBe("pendingVerification");
        await cloud.ControlAsync(
            HttpMethod.Post, $"/control/services/{SimulatedCloud.ServiceId}/txt",
            new { published = true, value = dns.GetProperty("recordValue").GetString() });
        using var verify = await staff.PostAsync("/operator/v1/endpoint-service:verify-private-dns", null);
        verify.StatusCode.ShouldBe(HttpStatusCode.OK, await verify.Content.ReadAsStringAsync());
        await Until(
            async () =>
                (await Get(staff, "/operator/v1/endpoint-service")).GetProperty("privateDns").GetProperty("state")
                    .GetString() == "verified", "the name to be verified");

        using var ready = await staff.GetAsync("/healthz/ready");
        ready.Headers.GetValues("NetAutomation-Cell").ShouldBe(["eu-1"]);
        await cloud.ControlAsync(HttpMethod.Post, "/control/ec2/faults", new { faults = new[] { "internal" }, times = 20 }, 201);
        (await staff.GetAsync("/operator/v1/endpoint-service")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task A_process_without_groups_and_endpoint_service_has_nothing_to_show()
    {
        await using var host = await ServiceHost.Start(await postgres.Create());
        using var staff = host.Operator();
        (await Get(staff, "/operator/v1/targets")).GetProperty("items").GetArrayLength().ShouldBe(0);
        (await staff.GetAsync("/operator/v1/endpoint-service")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private sealed record ServiceReplica(ServiceProcess Process, int Customer, int Connector, int Operator);

    private sealed record Target(int Port, string State, int OpenFlows);

    private static SimulatorOptions Options()
    {
        var options = SimulatedCloud.Options();
        var check =
            new HealthCheckOptions { Protocol = "HTTPS", IntervalMilliseconds = 200, TimeoutMilliseconds = 5000, UnhealthyThreshold = 10 };
        return options with
        {
            LoadBalancer = options.LoadBalancer with
            {
                Listeners = [new ListenerOptions(8443, "customer"), new ListenerOptions(8444, "connector")],
                TargetGroups =
                    [.. new[] { ("customer", 8443), ("connector", 8444) }.Select(
                        group =>
                            new TargetGroupOptions(group.Item1, group.Item2) { DeregistrationDelaySeconds = 10, HealthCheck = check })],
            },
        };
    }

    /// <summary>A host in this process that calls the simulator and has one target group.</summary>
    private async Task<ServiceHost> Operated(SimulatedCloud cloud, string group, params string[] settings)
    {
        var credentials = new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
        var (url, arn) = (cloud.AwsUrl.ToString(), await Arn(cloud, group));
        return await ServiceHost.Start(
            await postgres.Create(),
            [$"Onboarding:ServiceId={SimulatedCloud.ServiceId}", $"Onboarding:ServiceName={SimulatedCloud.ServiceName}",
                $"Targets:Customer={arn}", "Targets:DrainSeconds=0", "Roles:1=api", .. settings],
            builder =>
            {
                builder.Services.AddSingleton<IAmazonEC2>(
                    new AmazonEC2Client(credentials, new AmazonEC2Config { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonElasticLoadBalancingV2>(
                    new AmazonElasticLoadBalancingV2Client(
                        credentials, new AmazonElasticLoadBalancingV2Config { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
            });
    }

    private async Task<ServiceReplica> Serve(SimulatedCloud cloud, TestDatabase database, string name, params string[] settings)
    {
        var (customer, connector, staff) = (Ports.Free(), Ports.Free(), Ports.Free());
        var process = Start(cloud.AwsUrl.ToString(),
        [
            .. Settings(), $"Database:App={database.App}", $"Database:System={database.System}",
            $"Edge:Listeners:Customer=127.0.0.1:{customer}", $"Edge:Listeners:Operator=127.0.0.1:{staff}",
            $"Connectors:Listener=127.0.0.1:{connector}", $"Connectors:Replica={name}", $"Targets:Customer={await Arn(cloud, "customer")}",
            $"Targets:Connector={await Arn(cloud, "connector")}", .. settings,
        ]);
        _processes.Add(process);
        return new ServiceReplica(process, customer, connector, staff);
    }

    private string[] Settings() =>
    [
        "Roles:0=api", "Edge:TrustedPeers:0=127.0.0.1/32", "Edge:Listeners:Customer=127.0.0.1:0", "Edge:Listeners:Operator=127.0.0.1:0",
        "Edge:Listeners:Registration=127.0.0.1:0",
        $"Edge:CertificateDirectory={_folder.FullName}/certificates", $"Inventory:KeyDirectory={_folder.FullName}/keys",
        $"Catalog:BlocksDirectory={PostgresServer.RepositoryRoot()}/src/Blocks",
        .. ServiceHost.OperatorKey(0, "olga", OperatorKey, "read"),
        "Serilog:MinimumLevel:Default=Warning", "Serilog:MinimumLevel:Override:NetAutomation.Edge.Targets=Information",
    ];

    /// <summary>The service as a process that signs as the provider; env is replaced by the program, so signals reach it.</summary>
    private static ServiceProcess Start(string aws, IEnumerable<string> settings) => new(
        "/usr/bin/env",
        [
            $"AWS_ENDPOINT_URL={aws}", "AWS_REGION=us-east-1", $"AWS_ACCESS_KEY_ID=AKIA{SimulatedCloud.Provider}",
            $"AWS_SECRET_ACCESS_KEY=secret-of-{SimulatedCloud.Provider}", "AWS_EC2_METADATA_DISABLED=true",
            ServiceProcess.ProgramPath("NetAutomation"), .. settings.Select(setting => $"--{setting}"),
        ]);

    private static async Task<string> Arn(SimulatedCloud cloud, string group) =>
        (await cloud.NlbAsync()).GetProperty("targetGroups").EnumerateArray().Single(each => each.GetProperty("name").GetString() == group)
            .GetProperty("arn").GetString()!;

    private static async Task<List<Target>> Targets(SimulatedCloud cloud, string group) =>
        [.. (await cloud.NlbAsync()).GetProperty("targetGroups").EnumerateArray()
            .Single(each => each.GetProperty("name").GetString() == group).GetProperty("targets").EnumerateArray()
            .Select(
                each =>
                    new Target(
                        each.GetProperty("port").GetInt32(), each.GetProperty("state").GetString()!,
                        each.GetProperty("openFlows").GetInt32()))];

    /// <summary>Starts a connector that connects through the load balancer; returns its id.</summary>
    private async Task<string> Attach(ServiceHost host, TestTenant tenant, IPAddress front)
    {
        var site = await Post(tenant.Client, "/v1/sites", new { name = "ams" });
        var created = await Post(tenant.Client, "/v1/connectors", new { name = "c1", siteId = site.GetProperty("id").GetString() });
        var (ca, list, state) =
            (Path.Combine(_folder.FullName, "ca.pem"), Path.Combine(_folder.FullName, "allow"),
                Path.Combine(_folder.FullName, "connector"));
        await File.WriteAllTextAsync(ca, created.GetProperty("caPem").GetString());
        await File.WriteAllTextAsync(list, "10.0.0.0/8 22\n");
        using (var join = new ServiceProcess(
            ServiceProcess.ProgramPath("netautomation-connector"),
            ["join", "--endpoint", "nowhere.invalid:8444", "--address", $"{front}", "--server-name", host.Certificate.ServerName, "--ca",
                ca, "--token-file", "-", "--state", state],
            created.GetProperty("joinToken").GetString()))
        {
            (await join.Ended(_limit)).ShouldBe(0, join.Output);
        }

        _processes.Add(
            new ServiceProcess(ServiceProcess.ProgramPath("netautomation-connector"), ["run", "--state", state, "--allow-list", list]));
        var id = created.GetProperty("id").GetString()!;
        await Until(async () => await Replica(tenant, id) is not null, "the connector to attach");
        return id;
    }

    /// <summary>Repeats the request until the load balancer chooses this process.</summary>
    private async Task<(HttpClient Client, SlowSiteBody Body, Task<HttpResponseMessage> Answer)> SlowRequest(
        SimulatedCloud cloud, ServiceHost host, IPAddress front, TestTenant tenant, ServiceReplica process)
    {
        for (var i = 0; i < 20; i++)
        {
            var (client, body) = (Through(host, front, tenant.Key), new SlowSiteBody($"slow-{i}"));
            var answer = client.PostAsync("/v1/sites", body);
            await Until(async () => (await Targets(cloud, "customer")).Sum(target => target.OpenFlows) == 1, "the slow request to arrive");
            if ((await Targets(cloud, "customer")).Single(target => target.OpenFlows == 1).Port == process.Customer)
            {
                return (client, body, answer);
            }

            body.Finish();
            using var unwanted = await answer;
            client.Dispose();
            await Until(async () => (await Targets(cloud, "customer")).All(target => target.OpenFlows == 0), "the connection to end");
        }

        throw new InvalidOperationException("The load balancer never chose the process.");
    }

    private static async Task<string?> Replica(TestTenant tenant, string connector) =>
        (await Get(tenant.Client, $"/v1/connectors/{connector}")).GetProperty("sessions").EnumerateArray()
            .Select(session => session.GetProperty("replica").GetString()).LastOrDefault();

    private static async Task<List<JsonElement>> OperatorTargets(ServiceHost host, ServiceReplica process)
    {
        using var staff = To(host, new IPEndPoint(IPAddress.Loopback, process.Operator), OperatorKey);
        return [.. (await Get(staff, "/operator/v1/targets")).GetProperty("items").EnumerateArray()];
    }

    private static async Task<HttpStatusCode?> Ready(ServiceHost host, ServiceReplica process)
    {
        try
        {
            using var staff = To(host, new IPEndPoint(IPAddress.Loopback, process.Operator), null);
            using var answer = await staff.GetAsync("/healthz/ready");
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static HttpClient Through(ServiceHost host, IPAddress front, string key) => To(host, new IPEndPoint(front, 8443), key);

    private static HttpClient To(ServiceHost host, IPEndPoint address, string? key)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(address, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = ServiceHost.Trust(host.Certificate) },
        };
        return new HttpClient(
            handler)
        {
            BaseAddress = new Uri($"https://{host.Certificate.ServerName}"),
            DefaultRequestHeaders = { Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key) }
        };
    }

    private static async Task<JsonElement> Get(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, text);
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    private static async Task<JsonElement> Post(HttpClient client, string path, object body)
    {
        using var answer = await client.PostAsJsonAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, text);
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    private Task Until(Func<Task<bool>> reached, string what) =>
        Eventually.Holds(reached, what, () => string.Join('\n', _processes.Select(process => process.Output)));

    /// <summary>A request body that sends blanks fast enough for the server's limit, until the test ends it with a site.</summary>
    private sealed class SlowSiteBody : HttpContent
    {
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private readonly string _name;

        public SlowSiteBody(string name)
        {
            _name = name;
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        public void Finish() => _end.TrySetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync("{"u8.ToArray());
            var blanks = Encoding.ASCII.GetBytes(new string(' ', 200));
            while (await Task.WhenAny(_end.Task, Task.Delay(100)) != _end.Task)
            {
                await stream.WriteAsync(blanks);
                await stream.FlushAsync();
            }

            await stream.WriteAsync(Encoding.ASCII.GetBytes($"\"name\":\"{_name}\"}}"));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
