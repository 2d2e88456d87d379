using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Which services to list (EC2 API Reference, DescribeVpcEndpointServiceConfigurations).</summary>
public class DescribeVpcEndpointServiceConfigurationsRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    [WireName("Filter")] public List<Filter>? Filters { get; set; }
    public int? MaxResults { get; set; }
    public string? NextToken { get; set; }
    [WireName("ServiceId")] public List<string>? ServiceIds { get; set; }
}

/// <summary>One page of services.</summary>
public class DescribeVpcEndpointServiceConfigurationsResponse : AmazonWebServiceResponse
{
    public string? NextToken { get; set; }
    [WireName("serviceConfigurationSet")] public List<ServiceConfiguration>? ServiceConfigurations { get; set; }
}
