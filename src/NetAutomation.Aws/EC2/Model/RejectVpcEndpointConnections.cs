using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Which connections of which service to reject (EC2 API Reference, RejectVpcEndpointConnections).</summary>
public class RejectVpcEndpointConnectionsRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    public string? ServiceId { get; set; }
    [WireName("VpcEndpointId")] public List<string>? VpcEndpointIds { get; set; }
}

/// <summary>The connections that were not rejected; null when all were.</summary>
public class RejectVpcEndpointConnectionsResponse : AmazonWebServiceResponse
{
    public List<UnsuccessfulItem>? Unsuccessful { get; set; }
}
