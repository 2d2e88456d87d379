using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Which connections to list (EC2 API Reference, DescribeVpcEndpointConnections).</summary>
public class DescribeVpcEndpointConnectionsRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    [WireName("Filter")] public List<Filter>? Filters { get; set; }
    public int? MaxResults { get; set; }
    public string? NextToken { get; set; }
}

/// <summary>One page of connections.</summary>
public class DescribeVpcEndpointConnectionsResponse : AmazonWebServiceResponse
{
    public string? NextToken { get; set; }
    [WireName("vpcEndpointConnectionSet")] public List<VpcEndpointConnection>? VpcEndpointConnections { get; set; }
}
