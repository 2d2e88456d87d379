using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.Runtime;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Billing.Metering;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using MarketplaceOptions = NetAutomation.Marketplace.MarketplaceOptions;
using UsageMeter = NetAutomation.Marketplace.UsageMeter;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// AWS's metering as documented, as a table in memory: the first quantity of a customer's hour stands. Its answers get lost at random.
/// </summary>
internal sealed class ModelMarketplace(Random random) : IAmazonAWSMarketplaceMetering
{
    public const long Unit = 10_000;
    private readonly Dictionary<(string Account, DateTime Hour), long> _held = [];

    public IClientConfig Config { get; } = new AmazonAWSMarketplaceMeteringConfig();

    public bool Well { get; set; }

    public long Units => _held.Values.Sum();

    public Task<BatchMeterUsageResponse> BatchMeterUsageAsync(BatchMeterUsageRequest request, CancellationToken cancellationToken = default)
    {
        var chance = Well ? 9 : random.Next(10);
        if (chance == 0)
        {
            throw new HttpRequestException("The connection was lost before the request arrived.");
        }

        var answer = new BatchMeterUsageResponse { Results = [], UnprocessedRecords = [] };
        foreach (var record in request.UsageRecords!)
        {
            var key = (record.CustomerAWSAccountId!, record.Timestamp!.Value.ToUniversalTime());
            var held = _held.TryGetValue(key, out var units);
            if (!held && chance == 1)
            {
                answer.UnprocessedRecords.Add(record);
                continue;
            }

            _held.TryAdd(key, record.Quantity!.Value);
            var same = !held || units == record.Quantity;
            answer.Results.Add(new UsageRecordResult
            {
                UsageRecord = record, MeteringRecordId = same ? $"{key}" : null,
                Status = new(same ? "Success" : "DuplicateRecord"),
            });
        }

        return chance is 2 or 3 ? throw new HttpRequestException("The answer was lost.") : Task.FromResult(answer);
    }

    public Task<ResolveCustomerResponse> ResolveCustomerAsync(
        ResolveCustomerRequest request, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public void Dispose()
    {
    }

    /// <summary>Seals the hour before this instant for a tenant.</summary>
    public static async Task Seal(RunFixture fixture, TenantId tenant, DateTimeOffset now)
    {
        var payer = await fixture.Scalar<Guid>($"select payer_id from billing.account where tenant_id = '{tenant.Value}'");
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        await new SealUsage(
            db, Options.Create(new MarketplaceOptions { Dimension = "usd", UnitMicros = Unit }), Options.Create(new MeteringOptions()),
            new FakeTimeProvider(now),
            scope.ServiceProvider.GetRequiredService<ILogger<SealUsage>>()).Seal(tenant, payer, default);
        await transaction.CommitAsync();
    }

    /// <summary>Sends the sealed records once.</summary>
    public async Task<bool> Send(RunFixture fixture)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        return await new SendUsage(
            scope.ServiceProvider.GetRequiredService<SystemDb>(), new UsageMeter(this),
            Options.Create(new MeteringOptions { RetryAfter = TimeSpan.FromMilliseconds(1) }),
            scope.ServiceProvider.GetRequiredService<MeteringMetrics>(), scope.ServiceProvider.GetRequiredService<ILogger<SendUsage>>())
            .Send("prod-test", licensed: false, DateTimeOffset.UtcNow.AddDays(1), default) is not null;
    }
}
