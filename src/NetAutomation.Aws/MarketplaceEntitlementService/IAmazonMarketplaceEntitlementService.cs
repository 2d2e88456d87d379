using Amazon.MarketplaceEntitlementService.Model;
using Amazon.Runtime;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>The entitlement service of AWS Marketplace (AWS Marketplace Entitlement Service API Reference).</summary>
public interface IAmazonMarketplaceEntitlementService : IAmazonService, IDisposable
{
    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonMarketplaceEntitlementServiceConfig();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonMarketplaceEntitlementServiceClient(awsCredentials, (AmazonMarketplaceEntitlementServiceConfig)clientConfig);

    /// <summary>
    /// Reads entitlements of a product; a page may be empty and still have a next token (Marketplace Entitlement API Reference,
    /// GetEntitlements).
    /// </summary>
    Task<GetEntitlementsResponse> GetEntitlementsAsync(GetEntitlementsRequest request, CancellationToken cancellationToken = default);
}
