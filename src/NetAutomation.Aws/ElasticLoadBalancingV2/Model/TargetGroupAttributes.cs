using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>Whose attributes to read (ELBv2 API Reference, DescribeTargetGroupAttributes).</summary>
public class DescribeTargetGroupAttributesRequest : AmazonWebServiceRequest
{
    public string? TargetGroupArn { get; set; }
}

/// <summary>The attributes.</summary>
public class DescribeTargetGroupAttributesResponse : AmazonWebServiceResponse
{
    public List<TargetGroupAttribute>? Attributes { get; set; }
}

/// <summary>An attribute of a target group (ELBv2 API Reference, TargetGroupAttribute).</summary>
public class TargetGroupAttribute
{
    public string? Key { get; set; }
    public string? Value { get; set; }
}
