using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>Which target groups to list (ELBv2 API Reference, DescribeTargetGroups).</summary>
public class DescribeTargetGroupsRequest : AmazonWebServiceRequest
{
    public List<string>? TargetGroupArns { get; set; }
}

/// <summary>One page of target groups.</summary>
public class DescribeTargetGroupsResponse : AmazonWebServiceResponse
{
    public List<TargetGroup>? TargetGroups { get; set; }
}
