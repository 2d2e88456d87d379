using NetAutomation.Aws.Wire;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>
/// Configuration of <see cref="AmazonMarketplaceEntitlementServiceClient"/>: Region or service URL, time limits, retries.
/// </summary>
public class AmazonMarketplaceEntitlementServiceConfig()
    : ServiceConfig("Marketplace Entitlement Service", "entitlement.marketplace", "aws-marketplace", "2017-01-11");
