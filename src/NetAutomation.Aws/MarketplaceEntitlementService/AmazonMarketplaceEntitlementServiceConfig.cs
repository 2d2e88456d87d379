using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Util.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>
/// Configuration of <see cref="AmazonMarketplaceEntitlementServiceClient"/>: Region or service URL, time limits, retries.
/// </summary>
public class AmazonMarketplaceEntitlementServiceConfig : ClientConfig
{
    private const string EndpointPrefix = "entitlement.marketplace";

    public AmazonMarketplaceEntitlementServiceConfig()
        : base(Pipeline.Defaults)
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "aws-marketplace";
        EndpointProvider = new RegionalEndpoint(EndpointPrefix);
    }

    public static new string ServiceId => "Marketplace Entitlement Service";

    public override string RegionEndpointServiceName => EndpointPrefix;

    public override string ServiceVersion => "2017-01-11";

    public override string UserAgent { get; } =
        InternalSDKUtils.BuildUserAgentString(
            ServiceId, typeof(AmazonMarketplaceEntitlementServiceConfig).Assembly.GetName().Version!.ToString(3));

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
