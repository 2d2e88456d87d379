using Amazon.EC2;
using Amazon.EC2.Model;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NetAutomation.Onboarding;
using NetAutomation.Onboarding.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Onboarding;

/// <summary>Rounds against an EC2 that answers what a test says, where the simulator cannot be made to.</summary>
public sealed class ReconcileTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Service = "vpce-svc-0123456789abcdef0";
    private static readonly DateTime _created = new(2026, 6, 1, 12, 0, 0, DateTimeKind.Utc);
    private readonly Ec2 _ec2 = new();
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceHost.Start(await postgres.Create());

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task An_item_that_ec2_did_not_do_is_kept_with_its_code_and_tried_again()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance"), Connection("vpce-0aaaaaaaaaaaaaaa2", tenant.Account, "pendingAcceptance"), Bound(tenant)];
        _ec2.Unsuccessful["vpce-0aaaaaaaaaaaaaaa1"] = "SomethingNew";
        (await Round()).ShouldBeLessThan(TimeSpan.FromSeconds(1));
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1", "vpce-0aaaaaaaaaaaaaaa2"], ignoreOrder: true);
        (await Faults()).ShouldBe(["SomethingNew"]);
        _ec2.Unsuccessful.Clear();
        await Round();
        (await Faults()).ShouldBeEmpty();
        (await Alive("vpce-0aaaaaaaaaaaaaaa1")).ShouldBeNull();
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "Available"), Bound(tenant)];
        await Round();
        (await Alive("vpce-0aaaaaaaaaaaaaaa1")).ShouldBe(tenant.Id);
    }

    [Fact]
    public async Task A_connection_missing_once_stays_bound_and_missing_thrice_is_gone()
    {
        var tenant = await _service.CreateTenant();
        await Round();
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id);
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBeNull();
    }

    [Fact]
    public async Task A_known_id_with_another_owner_is_another_connection()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var taken = Connection(mine.EndpointId, other.Account, "available");
        _ec2.Connections = [taken, Bound(other)];
        await Round();
        (await Alive(mine.EndpointId)).ShouldBe(other.Id);
        (await mine.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(System.Net.HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Principals_follow_the_tenants_and_what_a_person_allowed_stays()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Bound(tenant)];
        _ec2.Principals = ["arn:aws:iam::999999999999:root", "arn:aws:iam::999999999999:role/consultant", "*"];
        await Round();
        _ec2.Principals.ShouldBe([$"arn:aws:iam::{tenant.Account}:root", "arn:aws:iam::999999999999:role/consultant", "*"], ignoreOrder: true);
    }

    private async Task<TimeSpan> Round(OnboardingOptions? settings = null)
    {
        await using var scope = _service.Services.CreateAsyncScope();
        var (services, options) = (scope.ServiceProvider, Options.Create(settings ?? new OnboardingOptions { ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMilliseconds(1) }));
        var (db, metrics) = (services.GetRequiredService<SystemDb>(), services.GetRequiredService<ConnectionMetrics>());
        var api = new EndpointServiceApi(_ec2, options, metrics, TimeProvider.System);
        return await new Reconcile(
            db, api, new AllowedPrincipals(db, api, options, NullLogger<AllowedPrincipals>.Instance), options, services.GetRequiredService<TenantDirectory>(),
            services.GetRequiredService<BindingBell>(), metrics, TimeProvider.System, NullLogger<Reconcile>.Instance).Run(CancellationToken.None);
    }

    private async Task<TenantId?> Alive(string endpoint)
    {
        var directory = _service.Services.GetRequiredService<TenantDirectory>();
        directory.Forget();
        return (await directory.ByEndpoint(endpoint, CancellationToken.None))?.Tenant;
    }

    private async Task<List<string>> Faults()
    {
        await using var scope = _service.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<string>($"select fault from onboarding.endpoint_connection where fault is not null");
    }

    private static VpcEndpointConnection Bound(TestTenant tenant) => Connection(tenant.EndpointId, tenant.Account, "available", DateTime.UnixEpoch);

    private static VpcEndpointConnection Connection(string id, string owner, string state, DateTime? created = null) => new()
    {
        ServiceId = Service,
        VpcEndpointId = id,
        VpcEndpointOwner = owner,
        VpcEndpointState = State.FindValue(state),
        CreationTimestamp = created ?? _created,
    };

    private sealed class Ec2 : AmazonEC2Client
    {
        public Ec2()
            : base(new Amazon.Runtime.AnonymousAWSCredentials(), new AmazonEC2Config { ServiceURL = "http://127.0.0.1:1" })
        {
        }

        public List<VpcEndpointConnection> Connections { get; set; } = [];

        public HashSet<string> Principals { get; set; } = [];

        public Dictionary<string, string> Unsuccessful { get; } = [];

        public List<string> Accepted { get; } = [];

        public override Task<DescribeVpcEndpointConnectionsResponse> DescribeVpcEndpointConnectionsAsync(
            DescribeVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default)
        {
            // Two pages, whatever was asked for.
            var half = Connections.Count / 2;
            return Task.FromResult(request.NextToken is null
                ? new DescribeVpcEndpointConnectionsResponse { VpcEndpointConnections = Connections[..half], NextToken = "second" }
                : new DescribeVpcEndpointConnectionsResponse { VpcEndpointConnections = Connections[half..] });
        }

        public override Task<DescribeVpcEndpointServicePermissionsResponse> DescribeVpcEndpointServicePermissionsAsync(
            DescribeVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default) =>
            Task.FromResult(new DescribeVpcEndpointServicePermissionsResponse { AllowedPrincipals = [.. Principals.Select(each => new AllowedPrincipal { Principal = each })] });

        public override Task<ModifyVpcEndpointServicePermissionsResponse> ModifyVpcEndpointServicePermissionsAsync(
            ModifyVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default)
        {
            Principals.UnionWith(request.AddAllowedPrincipals ?? []);
            Principals.ExceptWith(request.RemoveAllowedPrincipals ?? []);
            return Task.FromResult(new ModifyVpcEndpointServicePermissionsResponse { ReturnValue = true });
        }

        public override Task<AcceptVpcEndpointConnectionsResponse> AcceptVpcEndpointConnectionsAsync(
            AcceptVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default)
        {
            Accepted.AddRange(request.VpcEndpointIds!);
            return Task.FromResult(new AcceptVpcEndpointConnectionsResponse
            {
                Unsuccessful =
                [
                    .. request.VpcEndpointIds!.Where(Unsuccessful.ContainsKey)
                        .Select(id => new UnsuccessfulItem { ResourceId = id, Error = new UnsuccessfulItemError { Code = Unsuccessful[id] } }),
                ],
            });
        }
    }
}
