using System.Text.Json;
using Amazon.EC2;
using Amazon.EC2.Model;
using Amazon.Runtime;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NetAutomation.AwsSimulator;
using NetAutomation.Connections;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Billing;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Connections;

/// <summary>A database, a simulated EC2 whose clock advances while a round waits, and rounds that a test may kill at any step.</summary>
internal sealed class ConnectionFixture : IAsyncDisposable
{
    private static readonly BasicAWSCredentials _credentials =
        new("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
    private static long _accounts = 700_000_000_000;
    private readonly ServiceProvider _services;
    private readonly NpgsqlDataSource _system;
    private readonly BindingDirectory _directory;
    private readonly BindingBell _bell;

    private ConnectionFixture(TestDatabase database, SimulatedCloud cloud, JumpingClock clock)
    {
        (Cloud, Clock, Owner, _system) = (cloud, clock, NpgsqlDataSource.Create(database.Owner), NpgsqlDataSource.Create(database.System));
        Ec2 = new KillableEc2(
            _credentials,
            new AmazonEC2Config { ServiceURL = cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1", MaxErrorRetry = 0 });
        _services = new ServiceCollection().AddMetrics().AddScoped(_ => Db()).BuildServiceProvider();
        _directory = new BindingDirectory(
            _services.GetRequiredService<IServiceScopeFactory>(),
            new ReconcileSignal(
                _system, Options.Create(Settings), new ConfigurationBuilder().Build(), TimeProvider.System,
                NullLogger<ReconcileSignal>.Instance),
            TimeProvider.System);
        _bell = new BindingBell(_system, TimeProvider.System, NullLogger<BindingBell>.Instance);
        Metrics = new ConnectionMetrics(_services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
    }

    public SimulatedCloud Cloud { get; }

    public JumpingClock Clock { get; }

    public NpgsqlDataSource Owner { get; }

    public KillableEc2 Ec2 { get; }

    public ConnectionMetrics Metrics { get; }

    public ConnectionsOptions Settings { get; set; } = new()
    {
        ServiceId = SimulatedCloud.ServiceId, ServiceName = SimulatedCloud.ServiceName, PendingInterval = TimeSpan.FromMilliseconds(1),
        GoneAfter = TimeSpan.Zero,
    };

    public static async Task<ConnectionFixture> Start(PostgresServer postgres, Ec2Options? ec2 = null)
    {
        var clock = new JumpingClock();
        var options = SimulatedCloud.Options();
        var cloud = await SimulatedCloud.StartAsync(
            options with { Ec2 = ec2 ?? new(), Services = [new ServiceOptions(SimulatedCloud.ServiceId) { AllowedPrincipals = ["*"] }] },
            clock);
        return new ConnectionFixture(await postgres.Create(), cloud, clock);
    }

    public static string NewAccount() => $"{Interlocked.Increment(ref _accounts)}";

    /// <summary>Creates a tenant that may open endpoints from these accounts.</summary>
    public async Task<TenantId> Tenant(string[] accounts, string state = "active")
    {
        var tenant = TenantId.New();
        await Sql("insert into onboarding.tenant (tenant_id, name, state) values ($1, 'test', $2)", tenant.Value, state);
        await Sql(
            "insert into onboarding.tenant_account (tenant_id, account, proven_by) select $1, a, 'operator' from unnest($2) a",
            tenant.Value, accounts);
        return tenant;
    }

    /// <summary>Runs one round in a new process.</summary>
    public async Task<TimeSpan> Round(KillSwitch? kill = null)
    {
        await using var db = Db(kill);
        var options = Options.Create(Settings);
        var api = new EndpointServiceApi(new KillableEc2(Ec2, kill), options, Metrics, Clock);
        var principals = new AllowedPrincipals(db, api, options, NullLogger<AllowedPrincipals>.Instance);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        return await new Reconcile(db, api, principals, options, _directory, _bell, Metrics, Clock, NullLogger<Reconcile>.Instance)
            .Run(deadline.Token);
    }

    /// <summary>Runs rounds until no connection is in transition; those that wait for an operator may stay.</summary>
    public async Task Settle(int most = 60)
    {
        var quiet = 0;
        while (quiet < 4)
        {
            (most-- > 0).ShouldBeTrue("It never came to rest.");
            Clock.Advance(TimeSpan.FromSeconds(2));
            quiet = await Attempt() is { } pause && pause >= Settings.PendingInterval * 6 ? quiet + 1 : 0;
        }
    }

    /// <summary>Runs one round; returns null if EC2 failed or another process interfered, where the loop would try again.</summary>
    public async Task<TimeSpan?> Attempt(KillSwitch? kill = null)
    {
        try
        {
            return await Round(kill);
        }
        catch (Exception fault) when (fault is AmazonServiceException or HttpRequestException or IOException
            || fault is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.UniqueViolation })
        {
            return null;
        }
    }

    public async Task<List<string>> Make(string[] accounts, int count, string? region = null) => Ids(await Cloud.ControlAsync(
        HttpMethod.Post, "/control/endpoints:bulk", new { accounts, count, region }, 201));

    public async Task<List<string>> Change(string how, object which) =>
        Ids(await Cloud.ControlAsync(HttpMethod.Post, $"/control/endpoints:{how}", which));

    /// <summary>The simulator's own state: endpoint to account and state.</summary>
    public async Task<Dictionary<string, (string Account, string State)>> Truth() =>
        (await Cloud.ControlAsync(HttpMethod.Get, "/control/endpoints")).EnumerateArray()
        .ToDictionary(
            each => each.GetProperty("vpceId").GetString()!,
            each => (each.GetProperty("account").GetString()!, each.GetProperty("state").GetString()!));

    /// <summary>Bound endpoints, each with the accounts of its tenant.</summary>
    public async Task<Dictionary<string, (Guid Tenant, string[] Accounts)>> Bound()
    {
        var bound = new Dictionary<string, (Guid, string[])>();
        await using var command = Owner.CreateCommand(
            """
            select b.endpoint_id, b.tenant_id,
                   array(select a.account from onboarding.tenant_account a where a.tenant_id = b.tenant_id and a.active)
            from onboarding.binding b where b.ended_at is null
            """);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            bound.Add(reader.GetString(0), (reader.GetGuid(1), reader.GetFieldValue<string[]>(2)));
        }

        return bound;
    }

    public Task Sql(string sql, params object[] values) => Owner.Execute(sql, values);

    public Task<T> Value<T>(string sql, params object[] values) => Owner.Value<T>(sql, values);

    public SystemDb Db(KillSwitch? kill = null)
    {
        var options = new DbContextOptionsBuilder<SystemDb>().UseNpgsql(_system).UseSnakeCaseNamingConvention()
            .AddInterceptors(DeferredStatements.Interceptor);
        return new SystemDb((kill is null ? options : options.AddInterceptors(kill)).Options) { Sending = kill is null ? null : kill.Step };
    }

    public async ValueTask DisposeAsync()
    {
        Ec2.Dispose();
        _bell.Dispose();
        await Cloud.DisposeAsync();
        await Owner.DisposeAsync();
        await _system.DisposeAsync();
        await _services.DisposeAsync();
    }

    private static List<string> Ids(JsonElement answer) => answer.TryGetProperty("vpceIds", out var ids)
        ? [.. ids.EnumerateArray().Select(each => each.GetString()!)]
        : [.. answer.GetProperty("endpoints").EnumerateArray().Select(each => each.GetProperty("vpceId").GetString()!)];
}

/// <summary>A clock that jumps ahead whenever somebody waits.</summary>
internal sealed class JumpingClock : TimeProvider
{
    private readonly Lock _gate = new();
    private TimeSpan _ahead;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
        {
            return System.GetUtcNow() + _ahead;
        }
    }

    public void Advance(TimeSpan time)
    {
        lock (_gate)
        {
            _ahead += time;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime <= TimeSpan.Zero || period > TimeSpan.Zero)
        {
            return System.CreateTimer(callback, state, dueTime, period);
        }

        Advance(dueTime);
        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}

/// <summary>EC2 over the wire, unless the process that calls is dead.</summary>
internal sealed class KillableEc2 : AmazonEC2Client
{
    private readonly KillableEc2? _inner;
    private readonly KillSwitch? _kill;

    public KillableEc2(AWSCredentials credentials, AmazonEC2Config config)
        : base(credentials, config)
    {
    }

    public KillableEc2(KillableEc2 inner, KillSwitch? kill)
        : base(new AnonymousAWSCredentials(), new AmazonEC2Config { ServiceURL = "http://127.0.0.1:1" }) => (_inner, _kill) = (inner, kill);

    public override Task<DescribeVpcEndpointConnectionsResponse> DescribeVpcEndpointConnectionsAsync(
        DescribeVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        _inner is null
            ? base.DescribeVpcEndpointConnectionsAsync(request, cancellationToken)
                : Call(() => _inner.DescribeVpcEndpointConnectionsAsync(request, cancellationToken));

    public override Task<DescribeVpcEndpointServicePermissionsResponse> DescribeVpcEndpointServicePermissionsAsync(
        DescribeVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default) =>
        _inner is null
            ? base.DescribeVpcEndpointServicePermissionsAsync(request, cancellationToken)
                : Call(() => _inner.DescribeVpcEndpointServicePermissionsAsync(request, cancellationToken));

    public override Task<ModifyVpcEndpointServicePermissionsResponse> ModifyVpcEndpointServicePermissionsAsync(
        ModifyVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default) =>
        _inner is null
            ? base.ModifyVpcEndpointServicePermissionsAsync(request, cancellationToken)
                : Call(() => _inner.ModifyVpcEndpointServicePermissionsAsync(request, cancellationToken));

    public override Task<AcceptVpcEndpointConnectionsResponse> AcceptVpcEndpointConnectionsAsync(
        AcceptVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        _inner is null
            ? base.AcceptVpcEndpointConnectionsAsync(request, cancellationToken)
                : Call(() => _inner.AcceptVpcEndpointConnectionsAsync(request, cancellationToken));

    public override Task<RejectVpcEndpointConnectionsResponse> RejectVpcEndpointConnectionsAsync(
        RejectVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        _inner is null
            ? base.RejectVpcEndpointConnectionsAsync(request, cancellationToken)
                : Call(() => _inner.RejectVpcEndpointConnectionsAsync(request, cancellationToken));

    private async Task<T> Call<T>(Func<Task<T>> call)
    {
        _kill?.Step();
        var answer = await call();
        _kill?.Step();
        return answer;
    }
}
