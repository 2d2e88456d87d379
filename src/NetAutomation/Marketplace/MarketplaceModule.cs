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

    /// <summary>The products that are this service. Buyers of the seller's other products are no customers of it.</summary>
    public string[] ProductCodes { get; set; } = [];

    /// <summary>The product's Region for metering. Usage is deduplicated per Region, so it never changes.</summary>
    public string Region { get; set; } = "us-east-1";

    /// <summary>The dimension of money that usage is metered in; empty seals and reports nothing.</summary>
    public string Dimension { get; set; } = "";

    /// <summary>Price of one unit of the dimension at Marketplace, in millionths of a dollar.</summary>
    [Range(1, 1_000_000_000)]
    public long UnitMicros { get; set; } = Money.Cent.Micros;

    /// <summary>The block that a contract dimension of the product gives a right to, by the name of the dimension.</summary>
    public Dictionary<string, ContractBlock> Contracts { get; } = new(StringComparer.Ordinal);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (QueueUrl.Length > 0 && ProductCodes.Length == 0)
        {
            yield return new(
                "Marketplace:ProductCodes is needed with Marketplace:QueueUrl: "
                + "events of the seller's other products arrive on the same queue.");
        }

        if (Array.Exists(ProductCodes, string.IsNullOrWhiteSpace))
        {
            yield return new("Marketplace:ProductCodes has an empty entry.");
        }
    }
}

/// <summary>A major version of a block.</summary>
internal sealed record ContractBlock(string Block = "", int Major = 1);

/// <summary>AWS Marketplace: resolves buyers, receives events of agreements, meters usage.</summary>
internal static class MarketplaceModule
{
    public static void AddMarketplace(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<MarketplaceOptions>().BindConfiguration("Marketplace").ValidateDataAnnotations().ValidateOnStart();
        var region = RegionEndpoint.GetBySystemName(builder.Configuration["Marketplace:Region"] ?? new MarketplaceOptions().Region);
        // Three attempts, each within the time limit. Without the 0, each attempt would repeat a silent connection up to ten times.
        services.AddSingleton<IAmazonSQS>(
            _ => new AmazonSQSClient(new AmazonSQSConfig { MaxErrorRetry = 2, MaxStaleConnectionRetries = 0 }));
        services.AddSingleton<IAmazonAWSMarketplaceMetering>(
            _ => new AmazonAWSMarketplaceMeteringClient(new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = region }));
        // The client does not repeat calls by itself: each call has its row in metering_attempt.
        services.AddKeyedSingleton<IAmazonAWSMarketplaceMetering>(UsageMeter.Client, (_, _) => new AmazonAWSMarketplaceMeteringClient(
            new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = region, MaxErrorRetry = 0, MaxStaleConnectionRetries = 0 }));
        services.AddSingleton<IAmazonMarketplaceEntitlementService>(_ =>
            // AWS serves it in this Region only, wherever the product is metered.
            new AmazonMarketplaceEntitlementServiceClient(
                new AmazonMarketplaceEntitlementServiceConfig { RegionEndpoint = RegionEndpoint.USEast1 }));
        services.AddSingleton<Buyers>();
        services.AddSingleton<UsageMeter>();
        services.AddSingleton<Contracts>();
        services.AddSingleton<LifecycleQueue>();
    }
}
