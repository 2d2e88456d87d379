using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Access;
using NetAutomation.Billing;
using NetAutomation.Connections.Policy;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Edge;
using NetAutomation.Persistence;
using NetAutomation.Tenants;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Web;

namespace NetAutomation.Tests.Support;

/// <summary>
/// The service as Program composes it, in this process, on free loopback ports and a database of its own. Clients come through the real
/// listeners: PROXY header, TLS, key.
/// </summary>
public sealed class ServiceHost : IAsyncDisposable
{
    public const string OperatorName = "olga";
    public const string SecondOperatorName = "otto";
    private static readonly string _operatorKey = $"operator-{Guid.NewGuid():n}";
    private static readonly string _secondOperatorKey = $"operator-{Guid.NewGuid():n}";
    private static int _endpoints;
    private readonly WebApplication _app;
    private readonly DirectoryInfo _folder;
    private readonly List<HttpClient> _clients = [];

    private ServiceHost(WebApplication app, DirectoryInfo folder) => (_app, _folder) = (app, folder);

    /// <summary>Settings with which the scheduler follows an AWS that does not answer.</summary>
    internal static string[] FollowingAws { get; } =
    [
        "Onboarding:ServiceId=vpce-svc-0", "Onboarding:ServiceName=com.amazonaws.vpce.us-east-1.vpce-svc-0",
        "Onboarding:NotificationQueueUrl=http://127.0.0.1:1/n", "Marketplace:QueueUrl=http://127.0.0.1:1/m",
        "Marketplace:ProductCodes:0=pc",
    ];

    public IServiceProvider Services => _app.Services;

    /// <param name="settings">Further configuration as <c>Section:Key=value</c>; the last one wins.</param>
    internal static async Task<ServiceHost> Start(
        TestDatabase database, IEnumerable<string>? settings = null, Action<WebApplicationBuilder>? configure = null)
    {
        var folder = Directory.CreateTempSubdirectory("na-test-");
        string[] own =
        [
            $"Database:App={database.App}",
            $"Database:System={database.System}",
            "Edge:Listeners:Customer=127.0.0.1:0",
            "Edge:Listeners:Operator=127.0.0.1:0",
            "Edge:Listeners:Registration=127.0.0.1:0",
            "Edge:TrustedPeers:0=127.0.0.1/32",
            $"Edge:CertificateDirectory={folder.FullName}/certificates",
            $"Inventory:KeyDirectory={folder.FullName}/keys",
            .. OperatorKey(0, OperatorName, _operatorKey, "read", "act", "money"),
            .. OperatorKey(1, SecondOperatorName, _secondOperatorKey, "act"),
            "Connectors:Listener=127.0.0.1:0",
            $"Catalog:PlatformsDirectory={PostgresServer.RepositoryRoot()}/src/Platforms",
            $"Catalog:BlocksDirectory={PostgresServer.RepositoryRoot()}/src/Blocks",
            // Tests call as fast as they can.
            .. ((string[])["Connections", "Endpoint", "Tenant", "Key", "FailedAuthentications", "EvaluationSteps"]).SelectMany(
                rate => (string[])[$"Rates:{rate}:PerSecond=1000000", $"Rates:{rate}:Burst=1000000000"]),
            "Rates:Streams=1000",
            "Roles:0=api",
            "Roles:1=scheduler",
            "Serilog:MinimumLevel:Default=Error",
        ];
        var app = Service.Build([.. own.Concat(settings ?? []).Select(setting => $"--{setting}")], configure);
        await app.StartAsync();
        return new ServiceHost(app, folder);
    }

    internal IPEndPoint Address(Listener listener) => _app.Services.GetRequiredService<EdgeAddresses>().Of(listener);

    internal ServerCertificate Certificate => _app.Services.GetRequiredService<ServerCertificate>();

    /// <summary>A client of the customer listener through this endpoint.</summary>
    public HttpClient Customer(string endpointId, string? key, bool http2 = false, int receiveBuffer = 0)
    {
        var client = ClientOf(Listener.Customer, ProxyV2.Header(endpointId), key, receiveBuffer);
        if (http2)
        {
            (client.DefaultRequestVersion, client.DefaultVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        return client;
    }

    /// <summary>A client of the operator listener.</summary>
    public HttpClient Operator(string? key = null) => ClientOf(Listener.Operator, [], key ?? _operatorKey);

    /// <summary>A client of the operator listener, of the one who approves what the other asks for.</summary>
    public HttpClient SecondOperator() => Operator(_secondOperatorKey);

    /// <summary>Has the second operator approve what the first one asks for.</summary>
    /// <returns>The request, for the deed.</returns>
    public async Task<string> Approved(object tenant, object wanted)
    {
        using var first = Operator();
        using var second = SecondOperator();
        var request = (await first.Call("POST", $"/operator/v1/tenants/{tenant}/requests", wanted)).Must(HttpStatusCode.Created).Id;
        (await second.Call("POST", $"/operator/v1/requests/{request}:approve")).Must(HttpStatusCode.OK);
        return request;
    }

    /// <summary>The settings of one operator's key.</summary>
    public static string[] OperatorKey(int number, string name, string key, params string[] roles) =>
    [
        $"Operator:Keys:{number}:Name={name}",
        $"Operator:Keys:{number}:Sha256={Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}",
        $"Operator:Keys:{number}:ExpiresAt={DateTimeOffset.UtcNow.AddDays(1):O}",
        .. roles.Select((role, i) => $"Operator:Keys:{number}:Roles:{i}={role}"),
    ];

    /// <summary>A buyer's browser: it keeps cookies and follows no redirect.</summary>
    public HttpClient Browser() => Keep(new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        BaseAddress = new Uri($"http://{Address(Listener.Registration)}"),
    });

    /// <summary>A client that sends these bytes before TLS.</summary>
    internal HttpClient ClientOf(Listener listener, byte[] first, string? key, int receiveBuffer = 0)
    {
        var certificate = Certificate;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = (_, cancel) => ProxyV2.Connect(Address(listener), first, cancel, receiveBuffer: receiveBuffer),
            RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
        };
        handler.SslOptions.CertificateChainPolicy = Trust(certificate);
        var client = new HttpClient(listener == Listener.Customer ? new ProblemContract(handler) : handler)
        {
            BaseAddress = new Uri($"https://{certificate.ServerName}"),
        };
        if (key is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        return Keep(client);
    }

    internal static X509ChainPolicy Trust(ServerCertificate certificate)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPem(certificate.CaPem);
        return policy;
    }

    /// <summary>Creates an active tenant with an accepted endpoint and a key of this role, by the module's own code.</summary>
    internal async Task<TestTenant> CreateTenant(MemberRole role = MemberRole.Admin, string? endpointId = null)
    {
        var number = Interlocked.Increment(ref _endpoints);
        var (account, endpoint) = ($"{100_000_000_000 + number}", endpointId ?? $"vpce-{number:x17}");
        await using var scope = _app.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        var (tenant, agreement) = await OpenTenant.Open(
            db, new Subscription(account, "prod-test", $"arn:aws:license-manager::294406891311:license:l-{number:x32}"),
            CancellationToken.None);
        // As if AWS Marketplace had confirmed the agreement.
        await db.Execute($"update onboarding.agreement set state = 'active', activated_at = now() where id = {agreement.Value}");
        await db.Execute($"update onboarding.tenant set state = 'active', changed_at = now() where tenant_id = {tenant.Value}");
        await BillingAccounts.Set(db, tenant, BillingChannel.Marketplace, null, account, "prod-test", CancellationToken.None);
        var connection = await Accept(db, tenant, account, endpoint);
        var key = await IssueKey(db, tenant, "test", role);
        await transaction.CommitAsync();
        Services.GetRequiredService<TenantDirectory>().Forget(tenant);
        return new TestTenant(tenant, agreement, new(connection), account, endpoint, key.Secret, Customer(endpoint, key.Secret));
    }

    /// <summary>Gives the tenant a further endpoint of this id.</summary>
    internal async Task AddEndpoint(TestTenant tenant, string endpointId)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        await Accept(db, tenant.Id, tenant.Account, endpointId);
        await transaction.CommitAsync();
    }

    private static async Task<Guid> Accept(SystemDb db, TenantId tenant, string account, string endpoint)
    {
        var seen = new Observed("vpce-svc-0123456789abcdef0", endpoint, account, DateTimeOffset.UnixEpoch, "available");
        await EndpointConnections.Store(db, seen.ServiceId, [seen], CancellationToken.None);
        var connection =
            await db.Scalar<Guid>($"select id from onboarding.endpoint_connection where endpoint_id = {endpoint} and owner = {account}");
        await Decisions.Write(
            db, [new NewDecision(connection, null, false, new Decision(Verdict.Accept, "test", "test", tenant.Value))], "test",
            CancellationToken.None);
        await EndpointConnections.Bind(db, seen.ServiceId, CancellationToken.None);
        return connection;
    }

    /// <summary>Creates a key of the tenant's member of this role, whom the first one makes.</summary>
    internal async Task<HttpClient> CreateKey(TestTenant tenant, MemberRole role)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        var key = await IssueKey(db, tenant.Id, $"test {Wire.Name(role)}", role);
        return Customer(tenant.EndpointId, key.Secret);
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static async Task<NewApiKeyView> IssueKey(NetAutomationDb db, TenantId tenant, string name, MemberRole role)
    {
        var member = await Members.Add(db, tenant, name, role, ("test", "test"), CancellationToken.None)
            ?? await db.Scalar<MemberId>($"select id from onboarding.member where tenant_id = {tenant.Value} and name = {name}");
        return await ApiKeys.Issue(db, tenant, member, "test", CancellationToken.None);
    }

    private HttpClient Keep(HttpClient client)
    {
        lock (_clients)
        {
            _clients.Add(client);
        }

        return client;
    }
}

/// <summary>A tenant for tests.</summary>
/// <param name="Key">The secret of its first key.</param>
/// <param name="Client">Bound to the tenant's endpoint and key.</param>
internal sealed record TestTenant(
    TenantId Id, AgreementId Agreement, EndpointConnectionId Connection, string Account, string EndpointId, string Key, HttpClient Client);
