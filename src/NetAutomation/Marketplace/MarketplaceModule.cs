using Amazon;
using Amazon.AWSMarketplaceMetering;
using Amazon.MarketplaceEntitlementService;
using Amazon.SQS;

namespace NetAutomation.Marketplace;

/// <summary>The AWS side of a sale; section <c>Marketplace</c>. Credentials and endpoints come by the SDK's own chain.</summary>
internal sealed class MarketplaceOptions
{
    /// <summary>The queue that EventBridge or SNS fills; empty where the product is sold without Marketplace.</summary>
    public string QueueUrl { get; set; } = "";

    /// <summary>The product's Region for metering. Usage is deduplicated per Region, so it never changes.</summary>
    public string Region { get; set; } = "us-east-1";
}

/// <summary>AWS Marketplace: resolve a buyer, hear of agreements, meter.</summary>
internal static class MarketplaceModule
{
    public static void AddMarketplace(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<MarketplaceOptions>().BindConfiguration("Marketplace");
        var region = RegionEndpoint.GetBySystemName(builder.Configuration["Marketplace:Region"] ?? new MarketplaceOptions().Region);
        services.AddSingleton<IAmazonSQS>(_ => new AmazonSQSClient(new AmazonSQSConfig()));
        services.AddSingleton<IAmazonAWSMarketplaceMetering>(_ => new AmazonAWSMarketplaceMeteringClient(new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = region }));
        services.AddSingleton<IAmazonMarketplaceEntitlementService>(_ =>
            new AmazonMarketplaceEntitlementServiceClient(new AmazonMarketplaceEntitlementServiceConfig { RegionEndpoint = region }));
        services.AddSingleton<Buyers>();
        services.AddSingleton<LifecycleQueue>();
    }
}
