using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Execution;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>
/// The service as processes on one database: api replicas and workers that a test starts, freezes and kills, a real connector, and routers
/// that keep a journal. The test's own process is another api replica, which also has the role scheduler.
/// </summary>
internal sealed class ServiceFleet : IAsyncDisposable
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(4);
    private readonly SandboxFixture _fixture = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-f");
    private readonly Dictionary<string, ServiceProcess> _processes = [];
    private readonly Dictionary<string, (int Customer, int Connector, int Peer)> _ports = [];
    private readonly Dictionary<string, string> _devices = [];
    private readonly TcpListener _silent = new(IPAddress.Parse(Routers.Address(250)), 0);
    private string[] _shared = [];
    private IReadOnlyDictionary<string, string>? _answers;
    private IReadOnlyList<string> _reach = [];
    private string _content = $"{PostgresServer.RepositoryRoot()}/src";

    private ServiceFleet(TestDatabase database) => Database = database;

    public TestDatabase Database { get; }

    public ServiceHost Host { get; private set; } = null!;

    public TestTenant Tenant { get; private set; } = null!;

    public HttpClient Client => Tenant.Client;

    public Routers Routers { get; private set; } = null!;

    /// <summary>A port that accepts connections and never sends.</summary>
    public IPEndPoint Silent => (IPEndPoint)_silent.LocalEndpoint;

    /// <summary>The relay from the connector to the replicas.</summary>
    public EndpointRelay Endpoint { get; private set; } = null!;

    public string Site { get; private set; } = "";

    public string Credential { get; private set; } = "";

    /// <summary>
    /// Starts api replicas a and b, of which the connector reaches only a, and no worker. Without devices it starts no replicas either.
    /// </summary>
    /// <param name="content">A directory with Platforms and Blocks, in place of the repository's.</param>
    /// <param name="answers">Answers of the routers to further commands.</param>
    /// <param name="reach">Further lines of the connector's allow-list.</param>
    public static async Task<ServiceFleet> Start(
        PostgresServer postgres, int devices, bool scheduler = true, string? content = null,
        IReadOnlyDictionary<string, string>? answers = null, IReadOnlyList<string>? reach = null,
        params string[] settings)
    {
        var database = await (content is null ? postgres.Create() : postgres.CreateEmpty());
        var fleet = new ServiceFleet(database) { _answers = answers, _reach = reach ?? [] };
        fleet._content = content ?? fleet._content;
        try
        {
            await fleet.Start(devices, scheduler, settings);
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    public ServiceProcess Process(string name) => _processes[name];

    public int ConnectorPort(string name) => _ports[name].Connector;

    public int CustomerPort(string name) => _ports[name].Customer;

    public int PeerPort(string name) => _ports[name].Peer;

    public string DeviceId(string name) => _devices[name];

    public Task StartApi(string name) => StartService(name, "Roles:0=api", "Connectors:DrainSeconds=240");

    public Task StartWorker(string name, params string[] settings) =>
        StartService(
            name,
            ["Roles:0=worker", "Execution:Spares=1", $"Execution:WorkDirectory={_fixture.Options.WorkDirectory}/{name}", .. settings]);

    /// <summary>True while the worker executes the run.</summary>
    public bool Executes(string worker, string run) =>
        Directory.GetFileSystemEntries($"{_fixture.Options.WorkDirectory}/{worker}", $"{run}-*").Length > 0;

    /// <summary>The sandboxes that the worker keeps ready.</summary>
    public string[] SpareSandboxes(string worker) => Directory.GetDirectories($"{_fixture.Options.WorkDirectory}/{worker}", "spare-*");

    /// <summary>The readiness of the process; null if it does not answer.</summary>
    public async Task<HttpStatusCode?> Ready(string name)
    {
        try
        {
            using var client = ClientOf(_ports[name].Peer, null);
            using var answer = await client.GetAsync("/healthz/ready");
            return answer.StatusCode;
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>An HTTP client of this TCP port that trusts the service's certificate.</summary>
    public HttpClient ClientOf(int port, string? key)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = ServiceHost.Trust(Host.Certificate) },
        };
        return new HttpClient(
            handler)
        {
            BaseAddress = new Uri($"https://{Host.Certificate.ServerName}"), Timeout = TimeSpan.FromSeconds(15),
            DefaultRequestHeaders = { Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key) }
        };
    }

    public async Task<string> AddDevice(string name, string address, int port, string hostKey)
    {
        var created = await RunFixture.Post(
            Client, "/v1/devices",
            new { name, siteId = Site, address, port, platform = "frr", credentialId = Credential, hostKeySha256 = hostKey }, null, 201);
        return _devices[name] = created["id"]!.GetValue<string>();
    }

    /// <summary>Adds a device with a credential of its own; its name is that of its make and <paramref name="device"/>.</summary>
    public async Task<(string Device, string Credential)> Add(Imitations make, string device)
    {
        var name = $"{make.Platform}-{device}";
        var credential = (await Client.Call(
            "POST", "/v1/credentials", new { name, kind = "password", username = Imitations.Username, password = make.Password }))
            .Must(HttpStatusCode.Created).Id;
        _devices[name] = (await Client.Call("POST", "/v1/devices", new
        {
            name, siteId = Site, address = make.Address(device), port = make.Port, platform = make.Platform,
            credentialId = credential, hostKeySha256 = make.HostKey(device),
        })).Must(HttpStatusCode.Created).Id;
        return (_devices[name], credential);
    }

    /// <summary>A run of <c>static-routes</c> with one route per number on these devices.</summary>
    public JsonObject Routes(IEnumerable<string> devices, params int[] numbers) => new()
    {
        ["block"] = "static-routes", ["mode"] = "apply",
        ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray([.. devices.Select(name => (JsonNode)_devices[name])]) },
        ["input"] =
            new JsonObject
            {
                ["routes"] =
                    new JsonArray([.. numbers.Select(n => new JsonObject { ["prefix"] = $"10.{n}.0.0/16", ["nextHop"] = "192.0.2.1" })])
            },
    };

    public static string Line(int number) => $"ip route 10.{number}.0.0/16 192.0.2.1";

    public async Task<string> StartRun(JsonObject body) =>
        (await RunFixture.Post(Client, "/v1/runs", body, null, 202))["id"]!.GetValue<string>();

    public Task<JsonNode> Run(string id) => RunFixture.Get(Client, $"/v1/runs/{id}");

    public async Task<string> State(string id) => (await Run(id))["state"]!.GetValue<string>();

    /// <summary>Waits until the run is final, or unknown.</summary>
    public async Task<JsonNode> Ended(string id)
    {
        await Eventually.Holds(
            async () => await Run(id) is var run && (run["terminal"]!.GetValue<bool>() || run["state"]!.GetValue<string>() == "unknown"),
            $"run {id} to end", Report);
        return await Run(id);
    }

    /// <summary>The devices of a run by name.</summary>
    public async Task<Dictionary<string, JsonNode>> Devices(string id) =>
        (await RunFixture.Get(Client, $"/v1/runs/{id}/devices?limit=100"))["items"]!.AsArray()
            .ToDictionary(device => device!["name"]!.GetValue<string>(), device => device!);

    public async Task<string> Outcomes(string id) =>
        string.Join(
            " ", (await Devices(id)).OrderBy(device => device.Key, StringComparer.Ordinal)
                .Select(device => $"{device.Key}:{device.Value["outcome"]}{(device.Value["code"] is { } code ? $"({code})" : "")}"));

    /// <summary>Waits until the routers' journal meets the condition.</summary>
    public Task Journal(Func<IReadOnlyList<JournalEntry>, bool> shows, string what) =>
        Eventually.Holds(() => shows(Routers.Journal()), what, Report);

    /// <summary>Output of the processes and end of the routers' journal, for a failed test.</summary>
    public string Report() => string.Join('\n', _processes.Select(process => $"--- {process.Key}: {process.Value.Output}"))
        + "\n" + string.Join('\n', Routers.Journal().TakeLast(40));

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
        {
            process.Dispose();
        }

        _silent.Dispose();
        Endpoint?.Dispose();
        Routers?.Dispose();
        if (Host is not null)
        {
            await Host.DisposeAsync();
        }

        await _fixture.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task Start(int devices, bool scheduler, string[] settings)
    {
        _silent.Start();
        var key = Path.Combine(_folder.FullName, "cluster.key");
        await File.WriteAllTextAsync(key, Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _shared =
        [
            $"Edge:CertificateDirectory={_folder.FullName}/certificates", $"Inventory:KeyDirectory={_folder.FullName}/keys",
            "Inventory:AllowLoopback=true",
            $"Catalog:ContentDirectory={Path.GetDirectoryName(_fixture.Options.WorkDirectory)}/c", $"Peer:ClusterKeyFile={key}",
            $"Catalog:PlatformsDirectory={_content}/Platforms", $"Catalog:BlocksDirectory={_content}/Blocks",
            $"Execution:AnsibleDirectory={_fixture.Options.AnsibleDirectory}", $"Execution:Bubblewrap={_fixture.Options.Bubblewrap}",
            .. _fixture.Options.SandboxUid is { } uid ? [$"Execution:SandboxUid={uid}"] : Array.Empty<string>(), .. settings,
        ];
        Host = await ServiceHost.Start(
            Database,
            [.. _shared, "Connectors:Listener=", "Connectors:Replica=test", "Peer:Url=https://127.0.0.1:0",
                "Edge:Listeners:Peer=127.0.0.1:0", $"Execution:WorkDirectory={_fixture.Options.WorkDirectory}/test",
                scheduler ? "Roles:1=scheduler" : "Roles:1=api"]);
        Tenant = await Host.CreateTenant();
        Routers = await Routers.Start(Path.Combine(_folder.FullName, "routers"), devices, _answers);
        Site = (await RunFixture.Post(Client, "/v1/sites", new { name = "ams" }, null, 201))["id"]!.GetValue<string>();
        Credential =
            (await RunFixture.Post(
                Client, "/v1/credentials",
                new { name = "netops", username = Routers.Username, kind = "password", password = Routers.Password }, null, 201))[
                    "id"]!.GetValue<string>();
        await RunFixture.Post(Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" }, null, 201);
        if (devices == 0)
        {
            return;
        }

        await Task.WhenAll(StartApi("a"), StartApi("b"));
        Endpoint = new EndpointRelay(Tenant.EndpointId, ConnectorPort("a"));
        await StartConnector(devices);
        for (var i = 1; i <= devices; i++)
        {
            await AddDevice(Routers.Name(i), Routers.Address(i), Routers.Port, Routers.HostKey(i));
        }
    }

    private async Task StartConnector(int devices)
    {
        var created = await RunFixture.Post(Client, "/v1/connectors", new { name = "c1", siteId = Site }, null, 201);
        var (ca, list, state) =
            (Path.Combine(_folder.FullName, "ca.pem"), Path.Combine(_folder.FullName, "allow"),
                Path.Combine(_folder.FullName, "connector"));
        await File.WriteAllTextAsync(ca, created["caPem"]!.GetValue<string>());
        // The allow-list accepts loopback only as single addresses.
        await File.WriteAllLinesAsync(
            list, [.. Enumerable.Range(1, devices).Select(n => $"{Routers.Address(n)}/32 {Routers.Port}"),
                $"{Silent.Address}/32 {Silent.Port}", .. _reach]);
        var join = new ServiceProcess(
            ServiceProcess.ProgramPath("netautomation-connector"),
            ["join", "--endpoint", $"nowhere.invalid:{Endpoint.Address.Port}", "--address", "127.0.0.1", "--server-name",
                Host.Certificate.ServerName, "--ca", ca, "--token-file", "-", "--state", state],
            created["joinToken"]!.GetValue<string>());
        using (join)
        {
            (await join.Ended(_limit)).ShouldBe(0, join.Output);
        }

        _processes["connector"] =
            new ServiceProcess(ServiceProcess.ProgramPath("netautomation-connector"), ["run", "--state", state, "--allow-list", list]);
        await Eventually.Holds(
            async () => (await RunFixture.Get(Client, $"/v1/connectors/{created["id"]}"))["sessions"]!.AsArray().Count > 0,
            "the connector to attach", () => Report());
    }

    public async Task StartService(string name, params string[] settings)
    {
        var ports = _ports.TryGetValue(name, out var known)
            ? known : (Customer: Ports.Free(), Connector: Ports.Free(), Peer: Ports.Free());
        _ports[name] = ports;
        string[] own =
        [
            $"Database:App={Database.App}", $"Database:System={Database.System}", .. _shared, "Edge:TrustedPeers:0=127.0.0.1/32",
            $"Edge:Listeners:Customer=127.0.0.1:{ports.Customer}",
            "Edge:Listeners:Operator=127.0.0.1:0", "Edge:Listeners:Registration=127.0.0.1:0", $"Edge:Listeners:Peer=127.0.0.1:{ports.Peer}",
            $"Peer:Url=https://127.0.0.1:{ports.Peer}",
            $"Connectors:Listener=127.0.0.1:{ports.Connector}", $"Connectors:Replica={name}",
            "Serilog:MinimumLevel:Default=Warning", .. settings,
        ];
        if (_processes.Remove(name, out var before))
        {
            before.Dispose();
        }

        var process = new ServiceProcess(ServiceProcess.ProgramPath("NetAutomation"), own.Select(setting => $"--{setting}"));
        _processes[name] = process;
        await Eventually.Holds(
            async () => process.IsOver
                ? throw new InvalidOperationException($"{name} ended: {process.Output}") : await Ready(name) == HttpStatusCode.OK,
                $"{name} to be ready", () => process.Output);
    }
}
