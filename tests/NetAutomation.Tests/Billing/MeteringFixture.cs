using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.Runtime;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Billing.Metering;
using NetAutomation.Persistence;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;
using Npgsql;
using MarketplaceOptions = NetAutomation.Marketplace.MarketplaceOptions;
using SimulatedProduct = NetAutomation.AwsSimulator.MarketplaceOptions;
using UsageMeter = NetAutomation.Marketplace.UsageMeter;

namespace NetAutomation.Tests.Billing;

/// <summary>A database and a simulated Marketplace with a dimension of one cent, customers, and reporters that a test may kill.</summary>
internal sealed class MeteringFixture : IAsyncDisposable
{
    public const long Unit = 10_000;
    public const string Dimension = "usd";
    private static readonly BasicAWSCredentials _credentials =
        new("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
    private static long _accounts = 500_000_000_000;
    private static long _instants;
    private readonly Guid _price = Guid.CreateVersion7();

    private MeteringFixture(TestDatabase database, SimulatedCloud cloud)
    {
        (Database, Cloud) = (database, cloud);
        Owner = NpgsqlDataSource.Create(database.Owner);
        SystemSource = NpgsqlDataSource.Create(database.System + ";Maximum Pool Size=40");
        Metering = new AmazonAWSMarketplaceMeteringClient(_credentials, new AmazonAWSMarketplaceMeteringConfig
        {
            ServiceURL = cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1", MaxErrorRetry = 0, MaxStaleConnectionRetries = 0,
        });
    }

    public TestDatabase Database { get; }

    public SimulatedCloud Cloud { get; }

    public NpgsqlDataSource Owner { get; }

    public NpgsqlDataSource SystemSource { get; }

    public IAmazonAWSMarketplaceMetering Metering { get; }

    /// <summary>The start of an hour some hours ago, so that tests can let hours pass and AWS still accepts them.</summary>
    public static DateTimeOffset Start(int hoursBack = 12)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new DateTimeOffset(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero).AddHours(-hoursBack);
    }

    public static async Task<MeteringFixture> Start(PostgresServer postgres, Func<SimulatedProduct, SimulatedProduct>? set = null) =>
        await Start(await postgres.Create(), set);

    public static async Task<MeteringFixture> Start(TestDatabase database, Func<SimulatedProduct, SimulatedProduct>? set = null)
    {
        var options = SimulatedCloud.Options();
        var product = new SimulatedProduct { ProductCode = "pc", Dimensions = [Dimension], EventQueue = "events", MeteringHours = 24 };
        var fixture =
            new MeteringFixture(database, await SimulatedCloud.StartAsync(options with { Marketplace = set?.Invoke(product) ?? product }));
        await fixture.Sql(
            """
            insert into catalog.block (slug, id) values ('bgp', gen_random_uuid()), ('acl', gen_random_uuid()) on conflict do nothing
            """);
        await fixture.Sql(
            """
            insert into billing.price_version (id, sku, currency, unit_micros, valid)
            values ($1, $2, 'USD', 1, tstzrange('2020-01-01', null))
            """, fixture._price, $"test/{fixture._price}");
        return fixture;
    }

    /// <summary>Creates a tenant with an active subscription at the simulator.</summary>
    /// <param name="legacy">The product code by which it is metered; null meters it by licence.</param>
    /// <param name="batch">The product code of a customer metered by licence: records of one code are sent together.</param>
    public async Task<Customer> Subscribe(
        string? legacy = null, string batch = "pc", object? entitlements = null, DateTimeOffset? expiresAt = null)
    {
        var account = Interlocked.Increment(ref _accounts).ToString();
        var subscription =
            await Cloud.ControlAsync(
                HttpMethod.Post, "/control/subscriptions", new { account, productCode = legacy, entitlements, expiresAt }, 201);
        var agreement = subscription.GetProperty("id").GetString()!;
        await Cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{agreement}:activate");
        var tenant = TenantId.New();
        await Sql("insert into onboarding.tenant (tenant_id, name, state) values ($1, $2, 'active')", tenant.Value, account);
        var customer =
            new Customer(tenant, Guid.Empty, account, subscription.GetProperty("licenseArn").GetString(), legacy ?? batch, agreement);
        return await Attach(customer, Guid.CreateVersion7());
    }

    private async Task<Customer> Attach(Customer customer, Guid purchase)
    {
        await using (var db = Db())
        {
            await BillingAccounts.Set(
                db, customer.Tenant, BillingChannel.Marketplace, customer.License, customer.Account, customer.Product, default);
        }

        await Sql(
            """
            insert into purchasing.purchase (tenant_id, id, block, major, kind, price_micros, currency, created_by)
            values ($1, $2, 'bgp', 1, 'pay_per_use', 0, 'USD', $2)
            """,
            customer.Tenant.Value, purchase);
        return customer with
        {
            Payer = await Value<Guid>("select payer_id from billing.account where tenant_id = $1", customer.Tenant.Value),
            Purchase = purchase,
        };
    }

    /// <summary>Charges a settled amount at this time; a negative amount is a credit.</summary>
    public async Task Charge(Customer customer, long micros, DateTimeOffset at, string block = "bgp")
    {
        var (id, tenant) = (Guid.CreateVersion7(), customer.Tenant.Value);
        await using var batch = Owner.CreateBatch();
        if (micros < 0)
        {
            Add(
                """
                insert into billing.adjustment (tenant_id, id, kind, document, amount_micros, currency, channel, reason, approved_by,
                  charge_id)
                values ($1, $2, 'credit', $2::text, $3, 'USD', 'marketplace', 'test', 'test', $2)
                """,
                tenant, id, micros);
        }

        Add(
            """
            insert into billing.charge (tenant_id, id, purchase_id, adjustment_id, sku, description, quantity, amount_micros, currency,
              price_version_id, channel, occurred_at)
            values ($1, $2, case when $3 > 0 then $4::uuid end, case when $3 < 0 then $2::uuid end, $5, 'test', 1, $3, 'USD', $6,
              'marketplace', $7)
            """,
            tenant, id, micros, customer.Purchase, $"{block}/apply/device", _price,
            at.AddTicks(Interlocked.Increment(ref _instants) % 10_000_000 * 10).UtcDateTime);
        await batch.ExecuteNonQueryAsync();

        void Add(string sql, params object[] values)
        {
            var command = new NpgsqlBatchCommand(sql);
            Array.ForEach(values, value => command.Parameters.Add(new() { Value = value }));
            batch.BatchCommands.Add(command);
        }
    }

    public SystemDb Db(KillSwitch? kill = null)
    {
        var options = new DbContextOptionsBuilder<SystemDb>().UseNpgsql(SystemSource).UseSnakeCaseNamingConvention()
            .AddInterceptors(DeferredStatements.Interceptor);
        return new SystemDb((kill is null ? options : options.AddInterceptors(kill)).Options) { Sending = kill is null ? null : kill.Step };
    }

    public Reporter Reporter(TimeProvider clock, KillSwitch? kill = null, MeteringOptions? options = null, string dimension = Dimension) =>
        new(this, clock, kill, options ?? new MeteringOptions { RetryAfter = TimeSpan.FromMilliseconds(1) }, dimension);

    /// <summary>The simulator's records of this customer.</summary>
    public async Task<IReadOnlyList<SimulatorRecord>> SimulatorRecords(Customer customer) =>
        (await Cloud.ControlAsync(HttpMethod.Get, $"/control/metering?account={customer.Account}")).GetProperty("records")
            .Deserialize<List<SimulatorRecord>>(JsonSerializerOptions.Web)!;

    public Task Fault(Customer? customer, params string[] faults) =>
        Cloud.ControlAsync(HttpMethod.Post, "/control/metering/faults", new { account = customer?.Account, faults }, 201);

    /// <summary>Hour offset, quantity and state of a customer's records, oldest first.</summary>
    public async Task<List<string>> Records(Customer customer, DateTimeOffset from)
    {
        var records = new List<string>();
        await using var command = Owner.CreateCommand(
            """
            select extract(epoch from hour - $2)::int / 3600, quantity, carry_out_micros, state from billing.metering_record
            where tenant_id = $1 order by seq
            """);
        command.Parameters.Add(new() { Value = customer.Tenant.Value });
        command.Parameters.Add(new() { Value = from.UtcDateTime });
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            records.Add($"{reader.GetInt32(0)}: {reader.GetInt64(1)} left {reader.GetInt64(2)} {reader.GetString(3)}");
        }

        return records;
    }

    public Task Sql(string sql, params object[] values) => Owner.Execute(sql, values);

    public Task<T> Value<T>(string sql, params object[] values) => Owner.Value<T>(sql, values);

    public async ValueTask DisposeAsync()
    {
        Metering.Dispose();
        await Cloud.DisposeAsync();
        await Owner.DisposeAsync();
        await SystemSource.DisposeAsync();
    }

    internal sealed record Customer(TenantId Tenant, Guid Payer, string Account, string? License, string Product, string Agreement)
    {
        public Guid Purchase { get; init; }
    }

    internal sealed record SimulatorRecord(
        string MeteringRecordId, string Account, string Dimension, DateTimeOffset Hour, int Quantity, string? UsageAllocations);
}

/// <summary>One process that seals and sends, until it ends.</summary>
internal sealed class Reporter : IAsyncDisposable
{
    private readonly SystemDb _db;

    public Reporter(MeteringFixture fixture, TimeProvider clock, KillSwitch? kill, MeteringOptions options, string dimension)
    {
        _db = fixture.Db(kill);
        var metering = Options.Create(options);
        var log = new QueueLogger(Log);
        var market = Options.Create(new MarketplaceOptions { Dimension = dimension, UnitMicros = MeteringFixture.Unit });
        var metrics = new MeteringMetrics(new TestMeterFactory());
        Metering = new KillableMetering(fixture.Metering, kill);
        Seal = new SealUsage(_db, market, metering, clock, new QueueLogger<SealUsage>(log));
        Send = new SendUsage(_db, new UsageMeter(Metering), metering, metrics, new QueueLogger<SendUsage>(log));
        Watch = new WatchUsage(_db, market, metering, metrics, clock, new QueueLogger<WatchUsage>(log));
        All = new UsageReporting(Seal, Send, Watch);
    }

    public UsageReporting All { get; }

    public KillableMetering Metering { get; }

    public SealUsage Seal { get; }

    public SendUsage Send { get; }

    public WatchUsage Watch { get; }

    public SystemDb Db => _db;

    /// <summary>The log lines, as level and text.</summary>
    public ConcurrentQueue<string> Log { get; } = new();

    /// <summary>Seals these customers' records and sends them, even if another process had claimed them.</summary>
    public async Task SealAndSend(IEnumerable<MeteringFixture.Customer> customers, int sends = 4)
    {
        foreach (var customer in customers)
        {
            await using var transaction = await _db.Database.BeginTransactionAsync();
            await Seal.Seal(customer.Tenant, customer.Payer, default);
            await transaction.CommitAsync();
        }

        foreach (var product in customers.Select(customer => (customer.Product, customer.License is not null)).Distinct())
        {
            var (sent, left) = (true, sends);
            while (sent && left-- > 0)
            {
                sent = await Send.Send(product.Product, product.Item2, TimeProvider.System.GetUtcNow().AddDays(1), default) is not null;
            }
        }
    }

    public ValueTask DisposeAsync() => _db.DisposeAsync();

    private sealed class TestMeterFactory : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }

    private sealed class QueueLogger(ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");
    }

    private sealed class QueueLogger<T>(ILogger log) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Log(logLevel, eventId, state, exception, formatter);
    }
}

/// <summary>The metering client of a process that may die before or after a call.</summary>
internal sealed class KillableMetering(IAmazonAWSMarketplaceMetering inner, KillSwitch? kill) : IAmazonAWSMarketplaceMetering
{
    public IClientConfig Config => inner.Config;

    public ConcurrentQueue<BatchMeterUsageRequest> Sent { get; } = new();

    public async Task<BatchMeterUsageResponse> BatchMeterUsageAsync(
        BatchMeterUsageRequest request, CancellationToken cancellationToken = default)
    {
        kill?.Step();
        Sent.Enqueue(request);
        var answer = await inner.BatchMeterUsageAsync(request, cancellationToken);
        kill?.Step();
        return answer;
    }

    public Task<ResolveCustomerResponse> ResolveCustomerAsync(
        ResolveCustomerRequest request, CancellationToken cancellationToken = default) =>
        inner.ResolveCustomerAsync(request, cancellationToken);

    public void Dispose()
    {
    }
}
