using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Which connections of which service to accept (EC2 API Reference, AcceptVpcEndpointConnections).</summary>
public class AcceptVpcEndpointConnectionsRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    public string? ServiceId { get; set; }
    [WireName("VpcEndpointId")] public List<string>? VpcEndpointIds { get; set; }
}

/// <summary>The connections that were not accepted; null when all were.</summary>
public class AcceptVpcEndpointConnectionsResponse : AmazonWebServiceResponse
{
    public List<UnsuccessfulItem>? Unsuccessful { get; set; }
}
