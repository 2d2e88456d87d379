using Amazon.MarketplaceEntitlementService.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>Calls the entitlement service of AWS Marketplace (AWS Marketplace Entitlement Service API Reference).</summary>
public class AmazonMarketplaceEntitlementServiceClient : ServiceClient, IAmazonMarketplaceEntitlementService
{
    private static readonly JsonMarshaller _marshaller = new("Amazon.MarketplaceEntitlementService", "AWSMPEntitlementService");

    /// <summary>Takes the credentials from the SDK's default chain.</summary>
    public AmazonMarketplaceEntitlementServiceClient(AmazonMarketplaceEntitlementServiceConfig config)
        : base(config)
    {
    }

    public AmazonMarketplaceEntitlementServiceClient(AWSCredentials credentials, AmazonMarketplaceEntitlementServiceConfig clientConfig)
        : base(credentials, clientConfig)
    {
    }

    /// <inheritdoc/>
    public virtual Task<GetEntitlementsResponse> GetEntitlementsAsync(
        GetEntitlementsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<GetEntitlementsResponse>(request, cancellationToken);

    protected override InvokeOptions Protocol<TResponse>() => new()
    {
        RequestMarshaller = _marshaller,
        ResponseUnmarshaller = new JsonUnmarshaller<TResponse, AmazonMarketplaceEntitlementServiceException>(),
    };
}
