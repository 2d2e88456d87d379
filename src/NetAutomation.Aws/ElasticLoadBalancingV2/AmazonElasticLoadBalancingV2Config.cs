using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Util.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>Configuration of <see cref="AmazonElasticLoadBalancingV2Client"/>: Region or service URL, time limits, retries.</summary>
public class AmazonElasticLoadBalancingV2Config : ClientConfig
{
    private const string EndpointPrefix = "elasticloadbalancing";

    public AmazonElasticLoadBalancingV2Config()
        : base(Pipeline.Defaults)
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "elasticloadbalancing";
        EndpointProvider = new RegionalEndpoint(EndpointPrefix);
    }

    public static new string ServiceId => "Elastic Load Balancing v2";

    public override string RegionEndpointServiceName => EndpointPrefix;

    public override string ServiceVersion => "2015-12-01";

    public override string UserAgent { get; } =
        InternalSDKUtils.BuildUserAgentString(
            ServiceId, typeof(AmazonElasticLoadBalancingV2Config).Assembly.GetName().Version!.ToString(3));

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
