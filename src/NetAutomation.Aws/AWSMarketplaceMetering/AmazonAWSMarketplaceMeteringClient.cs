using Amazon.AWSMarketplaceMetering.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>Calls the metering service of AWS Marketplace (AWS Marketplace Metering Service API Reference).</summary>
public class AmazonAWSMarketplaceMeteringClient : ServiceClient, IAmazonAWSMarketplaceMetering
{
    private static readonly JsonMarshaller _marshaller = new("Amazon.AWSMarketplaceMetering", "AWSMPMeteringService");

    /// <summary>Takes the credentials from the SDK's default chain.</summary>
    public AmazonAWSMarketplaceMeteringClient(AmazonAWSMarketplaceMeteringConfig config)
        : base(config)
    {
    }

    public AmazonAWSMarketplaceMeteringClient(AWSCredentials credentials, AmazonAWSMarketplaceMeteringConfig clientConfig)
        : base(credentials, clientConfig)
    {
    }

    /// <inheritdoc/>
    public virtual Task<BatchMeterUsageResponse> BatchMeterUsageAsync(
        BatchMeterUsageRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<BatchMeterUsageResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<ResolveCustomerResponse> ResolveCustomerAsync(
        ResolveCustomerRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<ResolveCustomerResponse>(request, cancellationToken);

    protected override InvokeOptions Protocol<TResponse>() => new()
    {
        RequestMarshaller = _marshaller,
        ResponseUnmarshaller = new JsonUnmarshaller<TResponse, AmazonAWSMarketplaceMeteringException>(),
    };
}
