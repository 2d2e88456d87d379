using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Util.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.SQS;

/// <summary>Configuration of <see cref="AmazonSQSClient"/>: Region or service URL, time limits, retries.</summary>
public class AmazonSQSConfig : ClientConfig
{
    private const string EndpointPrefix = "sqs";

    public AmazonSQSConfig()
        : base(Pipeline.Defaults)
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "sqs";
        EndpointProvider = new RegionalEndpoint(EndpointPrefix);
    }

    public static new string ServiceId => "SQS";

    public override string RegionEndpointServiceName => EndpointPrefix;

    public override string ServiceVersion => "2012-11-05";

    public override string UserAgent { get; } = InternalSDKUtils.BuildUserAgentString(ServiceId, typeof(AmazonSQSConfig).Assembly.GetName().Version!.ToString(3));

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
