using Amazon.AWSMarketplaceMetering.Model;
using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>The metering service of AWS Marketplace (AWS Marketplace Metering Service API Reference).</summary>
public interface IAmazonAWSMarketplaceMetering : IAmazonService, IDisposable
{
    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonAWSMarketplaceMeteringConfig();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonAWSMarketplaceMeteringClient(awsCredentials, (AmazonAWSMarketplaceMeteringConfig)clientConfig);

    /// <summary>
    /// Meters up to 25 usage records; read every result's status and the unprocessed records (Marketplace Metering API Reference,
    /// BatchMeterUsage).
    /// </summary>
    Task<BatchMeterUsageResponse> BatchMeterUsageAsync(BatchMeterUsageRequest request, CancellationToken cancellationToken = default);

    /// <summary>Resolves the registration token of a buyer (Marketplace Metering API Reference, ResolveCustomer).</summary>
    Task<ResolveCustomerResponse> ResolveCustomerAsync(ResolveCustomerRequest request, CancellationToken cancellationToken = default);
}
