using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Util.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2;

/// <summary>Configuration of <see cref="AmazonEC2Client"/>: Region or service URL, time limits, retries.</summary>
public class AmazonEC2Config : ClientConfig
{
    private const string EndpointPrefix = "ec2";

    public AmazonEC2Config()
        : base(Pipeline.Defaults)
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "ec2";
        EndpointProvider = new RegionalEndpoint(EndpointPrefix);
    }

    public static new string ServiceId => "EC2";

    public override string RegionEndpointServiceName => EndpointPrefix;

    public override string ServiceVersion => "2016-11-15";

    public override string UserAgent { get; } = InternalSDKUtils.BuildUserAgentString(ServiceId, typeof(AmazonEC2Config).Assembly.GetName().Version!.ToString(3));

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
