using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NetAutomation.Connector;
using NetAutomation.Connectors;
using NetAutomation.Connectors.Links;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using NetAutomation.Web.Rates;
using Npgsql;
using OpenTelemetry.Metrics;

namespace NetAutomation.Tests.Connectors;

/// <summary>
/// The service's connector listener on Kestrel with TLS and HTTP/2, real PostgreSQL, and connectors that join and attach to it.
/// </summary>
internal sealed class ConnectorPair : IAsyncDisposable
{
    public const string ServerName = "connect.test";
    public static readonly X509Certificate2 Certificate = CreateCertificate();
    private readonly TestDatabase _database;
    private readonly NpgsqlDataSource _owner;
    private readonly List<IAsyncDisposable> _connectors = [];
    private readonly List<IHost> _replicas = [];
    private IHost _host = null!;

    private ConnectorPair(TestDatabase database) => (_database, _owner) = (database, NpgsqlDataSource.Create(database.Owner));

    public static string CaPem => Certificate.ExportCertificatePem();

    public TenantId Tenant { get; } = TenantId.New();

    /// <summary>The endpoint through which connections seem to come.</summary>
    public TenantId? EndpointTenant { get; set; }

    public SiteId Site { get; } = SiteId.New();

    public TestGate Gate { get; } = new();

    public int Port { get; private set; }

    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("connector-");

    public DeviceDialler Dialler => _host.Services.GetRequiredService<DeviceDialler>();

    public LinkHub Hub => _host.Services.GetRequiredService<LinkHub>();

    public T Service<T>() where T : notnull => _host.Services.GetRequiredService<T>();

    public static async Task<ConnectorPair> Start(PostgresServer postgres, string? peerUrl = null)
    {
        var pair = new ConnectorPair(await postgres.Create());
        pair.EndpointTenant = pair.Tenant;
        await pair.StartService(peerUrl: peerUrl);
        return pair;
    }

    public async Task StartService(int drainSeconds = 0, string? peerUrl = null)
    {
        _host = await StartHost(
            [new("Connectors:Listener", $"127.0.0.1:{Port}"), new("Connectors:DrainSeconds", $"{drainSeconds}"),
                .. peerUrl is null ? [] : Peer(peerUrl)]);
        Port = Service<ConnectorHost>().Address.Port;
    }

    /// <summary>Starts another replica on the same database.</summary>
    public async Task<IHost> StartReplica(params KeyValuePair<string, string?>[] settings)
    {
        var replica = await StartHost([.. Peer("https://127.0.0.1:0"), .. settings]);
        _replicas.Add(replica);
        return replica;
    }

    public async Task Stop(IHost replica)
    {
        _replicas.Remove(replica);
        await replica.StopAsync();
        replica.Dispose();
    }

    /// <summary>Starts a replica that has only the role worker.</summary>
    public Task<IHost> StartWorker() => StartReplica(new KeyValuePair<string, string?>("Roles:0", "worker"));

    private IEnumerable<KeyValuePair<string, string?>> Peer(string url)
    {
        var key = Path.Combine(Folder.FullName, "cluster.key");
        if (!File.Exists(key))
        {
            File.WriteAllText(key, Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return [new("Peer:Url", url), new("Peer:ClusterKeyFile", key)];
    }

    private async Task<IHost> StartHost(IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Database:App"] = _database.App,
            ["Database:System"] = _database.System,
            ["Connectors:Replica"] = "test",
        });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddLogging();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddScoped<AuditLog>();
        builder.Services.AddHttpContextAccessor();
        builder.Services.AddRates();
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddPrometheusExporter());
        builder.Services.AddSingleton<IDialGate>(Gate);
        builder.Services.AddSingleton(new ServerCertificate(Certificate, [], ServerName, CaPem));
        builder.Services.AddSingleton(
            new PeerListener("127.0.0.1:0", listen => listen.UseHttps(Certificate), () => Task.FromResult<string?>(null)));
        builder.Services.AddSingleton<BoundedTransport>(_ => server => ActivatorUtilities.CreateInstance<SocketTransportFactory>(server));
        builder.Services.AddSingleton<EndpointTransport>(listen =>
        {
            listen.Use(next => connection =>
            {
                connection.Features.Set(new EndpointFeature("vpce-0123456789abcdef0", _ => ValueTask.FromResult(EndpointTenant)));
                return next(connection);
            });
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(Certificate);
        });
        builder.AddPersistence();
        builder.AddConnectors();
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    public async Task StopService()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    /// <summary>Creates a connector row and its join token, as the API does.</summary>
    public async Task<(ConnectorId Id, string Token)> Enrol(string name, TimeSpan? lifetime = null)
    {
        var (id, token) = (ConnectorId.New(), $"njt_{Guid.NewGuid():n}");
        await using var command = _owner.CreateCommand(
            """
            with s as (insert into inventory.site (tenant_id, id, name, version) values ($1, $3, 'site', 1) on conflict do nothing),
              c as (insert into connectors.connector (tenant_id, id, site_id, name) values ($1, $2, $3, $4) returning 1)
            insert into connectors.join_token (tenant_id, sha256, connector_id, expires_at) values ($1, $5, $2, now() + $6)
            """);
        foreach (
            var value in new object[] {
                Tenant.Value, id.Value, Site.Value, name, SHA256.HashData(Encoding.UTF8.GetBytes(token)),
                lifetime ?? TimeSpan.FromMinutes(15) })
        {
            command.Parameters.Add(new() { Value = value });
        }

        await command.ExecuteNonQueryAsync();
        return (id, token);
    }

    /// <summary>Nobody reads or writes the connectors until it is disposed.</summary>
    public async Task<IAsyncDisposable> LockConnectors()
    {
        var connection = new NpgsqlConnection($"{_database.Owner};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("begin; lock table connectors.connector in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    public async Task<T> Sql<T>(string sql)
    {
        await using var command = _owner.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Runs the join command; its state directory is returned with the exit code.</summary>
    public async Task<(int Exit, string State)> Join(string token, string? state = null, int? port = null)
    {
        state ??= Path.Combine(Folder.FullName, Guid.NewGuid().ToString("n"));
        var ca = Path.Combine(Folder.FullName, "ca.pem");
        await File.WriteAllTextAsync(ca, CaPem);
        var line = new CommandLine(
            ["join", "--endpoint", $"nowhere.invalid:{port ?? Port}", "--address", "127.0.0.1", "--server-name", ServerName, "--ca", ca,
                "--token-file", "-", "--state", state],
            "--endpoint", "--address", "--server-name", "--ca", "--token-file", "--state");
        try
        {
            return (await JoinCommand.Run(line, new StringReader(token), SilentLog(), default), state);
        }
        catch (RefusedException refusal)
        {
            return ((int)refusal.Status, state);
        }
    }

    /// <summary>Starts a joined and attached connector.</summary>
    public async Task<RunningConnector> Attach(
        string allowList, TimeProvider? clock = null, int links = 1, IHost? replica = null, DeviceLimits? limits = null)
    {
        replica ??= _host;
        var (id, token) = await Enrol($"c-{Guid.NewGuid():n}");
        var (exit, state) = await Join(token, port: replica.Services.GetRequiredService<ConnectorHost>().Address.Port);
        exit.ShouldBe(0);
        var connector = new RunningConnector(id, state, allowList, clock ?? TimeProvider.System, links, limits);
        _connectors.Add(connector);
        await Eventually.Holds(() => replica.Services.GetRequiredService<LinkHub>().All.Count(l => l.Connector == id) == links);
        return connector;
    }

    public DeviceDial Dial(TestDevice device, RunId? run = null, long fence = 0, bool exclusive = false, DeviceId? id = null) =>
        new(Tenant, Site, id ?? DeviceId.New(), "127.0.0.1", device.Port, run, fence, exclusive);

    public async Task<TunnelStream> Open(DeviceDial dial)
    {
        var result = await Dialler.Dial(dial, TimeSpan.FromSeconds(10), default);
        result.Code.ShouldBeNull(result.Detail);
        return result.Stream!;
    }

    public async Task<string?> Code(DeviceDial dial) => (await Dialler.Dial(dial, TimeSpan.FromSeconds(5), default)).Code;

    public static ConnectorLog SilentLog() => new(TextWriter.Null, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        foreach (var connector in _connectors)
        {
            await connector.DisposeAsync();
        }

        foreach (var replica in _replicas)
        {
            await replica.StopAsync();
            replica.Dispose();
        }

        await StopService();
        await _owner.DisposeAsync();
        Folder.Delete(recursive: true);
    }

    private static X509Certificate2 CreateCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={ServerName}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(ServerName);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }
}

/// <summary>Permits every dial and records the requests.</summary>
internal sealed class TestGate : IDialGate
{
    /// <summary>Runs hold their devices.</summary>
    public bool Open { get; set; } = true;

    /// <summary>Outside runs; null: a run holds every device.</summary>
    public long? Fence { get; set; } = 0;

    public long Seen { get; private set; }

    public Task<bool> MayDial(DeviceDial dial, CancellationToken cancel) =>
        Task.FromResult(dial.Run is null ? dial.Fence <= Fence : Open);

    public Task<long?> FenceOutsideRuns(TenantId tenant, DeviceId device, CancellationToken cancel) => Task.FromResult(Fence);

    public Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel)
    {
        Seen = Math.Max(Seen, fence);
        return Task.CompletedTask;
    }
}

/// <summary>The connector's own classes, wired as its run command wires them.</summary>
internal sealed class RunningConnector : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly FenceFile _fences;
    private readonly ECDsa _key;
    private readonly Task _serving;

    public RunningConnector(ConnectorId id, string state, string allowList, TimeProvider clock, int links, DeviceLimits? limits = null)
    {
        Id = id;
        Folder = state;
        State = ConnectorState.Load(state);
        _key = ConnectorState.LoadKey(state);
        _fences = new FenceFile(Path.Combine(state, "fences"));
        Tunnels = new TunnelTable(_fences, clock);
        var devices = new DeviceSockets(AllowList.Parse(allowList), limits ?? new DeviceLimits(10_000, 10_000, 10_000, clock), clock);
        Instance = Instance.Start(state);
        _serving = new NetAutomation.Connector.Links(
            () => new Link(State, _key, Instance, _fences, Tunnels, devices, ConnectorPair.SilentLog(), TimeProvider.System),
            ConnectorPair.SilentLog(), TimeProvider.System).Run(links, _stop.Token);
    }

    public ConnectorId Id { get; }

    public ConnectorState State { get; }

    public string Folder { get; }

    public Instance Instance { get; }

    public TunnelTable Tunnels { get; }

    public async ValueTask DisposeAsync()
    {
        if (_serving.IsCompleted)
        {
            return;
        }

        await _stop.CancelAsync();
        await _serving;
        Tunnels.Dispose();
        _fences.Dispose();
        _key.Dispose();
        _stop.Dispose();
    }
}

/// <summary>A router's TCP port.</summary>
internal sealed class TestDevice : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public TestDevice()
    {
        _listener.Start(512);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
    }

    public int Port { get; }

    /// <summary>An allow-list that opens this port of loopback by its exact address.</summary>
    public string Allowed => $"127.0.0.1/32 {Port}";

    /// <summary>True while a connection waits to be accepted.</summary>
    public bool Pending => _listener.Pending();

    public async Task<Socket> Accept() => await _listener.AcceptSocketAsync();

    public void Dispose() => _listener.Dispose();
}
