using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Util.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>Configuration of <see cref="AmazonAWSMarketplaceMeteringClient"/>: Region or service URL, time limits, retries.</summary>
public class AmazonAWSMarketplaceMeteringConfig : ClientConfig
{
    private const string EndpointPrefix = "metering.marketplace";

    public AmazonAWSMarketplaceMeteringConfig()
        : base(Pipeline.Defaults)
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "aws-marketplace";
        EndpointProvider = new RegionalEndpoint(EndpointPrefix);
    }

    public static new string ServiceId => "Marketplace Metering";

    public override string RegionEndpointServiceName => EndpointPrefix;

    public override string ServiceVersion => "2016-01-14";

    public override string UserAgent { get; } =
        InternalSDKUtils.BuildUserAgentString(
            ServiceId, typeof(AmazonAWSMarketplaceMeteringConfig).Assembly.GetName().Version!.ToString(3));

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
