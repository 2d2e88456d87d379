using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>Which target groups to list (ELBv2 API Reference, DescribeTargetGroups).</summary>
public class DescribeTargetGroupsRequest : AmazonWebServiceRequest
{
    public string? LoadBalancerArn { get; set; }
    public string? Marker { get; set; }
    public List<string>? Names { get; set; }
    public int? PageSize { get; set; }
    public List<string>? TargetGroupArns { get; set; }
}

/// <summary>One page of target groups.</summary>
public class DescribeTargetGroupsResponse : AmazonWebServiceResponse
{
    public string? NextMarker { get; set; }
    public List<TargetGroup>? TargetGroups { get; set; }
}
