using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>The service whose private DNS name is to be verified (EC2 API Reference, StartVpcEndpointServicePrivateDnsVerification).</summary>
public class StartVpcEndpointServicePrivateDnsVerificationRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    public string? ServiceId { get; set; }
}

/// <summary>The verification has begun; its outcome is a state of the service's private DNS name.</summary>
public class StartVpcEndpointServicePrivateDnsVerificationResponse : AmazonWebServiceResponse
{
    [WireName("return")] public bool? ReturnValue { get; set; }
}
