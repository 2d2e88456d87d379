using System.ComponentModel.DataAnnotations;
using Amazon;
using Amazon.AWSMarketplaceMetering;
using Amazon.MarketplaceEntitlementService;
using Amazon.SQS;

namespace NetAutomation.Marketplace;

/// <summary>The AWS side of a sale; section <c>Marketplace</c>. Credentials and endpoints come by the SDK's own chain.</summary>
internal sealed class MarketplaceOptions : IValidatableObject
{
    /// <summary>The queue that EventBridge or SNS fills; empty where the product is sold without Marketplace.</summary>
    public string QueueUrl { get; set; } = "";

    /// <summary>The products that are this service. Who bought another one of the same seller is no customer of it.</summary>
    public string[] ProductCodes { get; set; } = [];

    /// <summary>The product's Region for metering. Usage is deduplicated per Region, so it never changes.</summary>
    public string Region { get; set; } = "us-east-1";

    /// <summary>The dimension of money that usage is metered in; empty seals and reports nothing.</summary>
    public string Dimension { get; set; } = "";

    /// <summary>What one unit of the dimension costs at Marketplace, in millionths of a dollar.</summary>
    [Range(1, 1_000_000_000)]
    public long UnitMicros { get; set; } = Money.Cent.Micros;

    /// <summary>What a contract dimension of the product is a right to, by the dimension's name.</summary>
    public Dictionary<string, ContractBlock> Contracts { get; } = new(StringComparer.Ordinal);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (QueueUrl.Length > 0 && ProductCodes.Length == 0)
        {
            yield return new(
                "Marketplace:ProductCodes is needed with Marketplace:QueueUrl: the seller's other products come by the same queue.");
        }

        if (Array.Exists(ProductCodes, string.IsNullOrWhiteSpace))
        {
            yield return new("Marketplace:ProductCodes has an empty one.");
        }
    }
}

/// <summary>A major version of a block.</summary>
internal sealed record ContractBlock
{
    public string Block { get; init; } = "";

    public int Major { get; init; } = 1;
}

/// <summary>AWS Marketplace: resolve a buyer, hear of agreements, meter.</summary>
internal static class MarketplaceModule
{
    public static void AddMarketplace(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<MarketplaceOptions>().BindConfiguration("Marketplace").ValidateDataAnnotations().ValidateOnStart();
        var region = RegionEndpoint.GetBySystemName(builder.Configuration["Marketplace:Region"] ?? new MarketplaceOptions().Region);
        // Three attempts, each within the time limit; without the 0 a silent queue is asked ten times more per attempt.
        services.AddSingleton<IAmazonSQS>(
            _ => new AmazonSQSClient(new AmazonSQSConfig { MaxErrorRetry = 2, MaxStaleConnectionRetries = 0 }));
        services.AddSingleton<IAmazonAWSMarketplaceMetering>(
            _ => new AmazonAWSMarketplaceMeteringClient(new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = region }));
        // The client's own repetition would hide from the records how often they were sent.
        services.AddKeyedSingleton<IAmazonAWSMarketplaceMetering>(UsageMeter.Client, (_, _) => new AmazonAWSMarketplaceMeteringClient(
            new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = region, MaxErrorRetry = 0, MaxStaleConnectionRetries = 0 }));
        services.AddSingleton<IAmazonMarketplaceEntitlementService>(_ =>
            // Served there only, wherever the product is metered.
            new AmazonMarketplaceEntitlementServiceClient(
                new AmazonMarketplaceEntitlementServiceConfig { RegionEndpoint = RegionEndpoint.USEast1 }));
        services.AddSingleton<Buyers>();
        services.AddSingleton<UsageMeter>();
        services.AddSingleton<Contracts>();
        services.AddSingleton<LifecycleQueue>();
    }
}
