using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>Whose health to read (ELBv2 API Reference, DescribeTargetHealth).</summary>
public class DescribeTargetHealthRequest : AmazonWebServiceRequest
{
    public string? TargetGroupArn { get; set; }
    public List<TargetDescription>? Targets { get; set; }
}

/// <summary>The health of the targets.</summary>
public class DescribeTargetHealthResponse : AmazonWebServiceResponse
{
    public List<TargetHealthDescription>? TargetHealthDescriptions { get; set; }
}

/// <summary>A target and its health (ELBv2 API Reference, TargetHealthDescription).</summary>
public class TargetHealthDescription
{
    public TargetDescription? Target { get; set; }
    public TargetHealth? TargetHealth { get; set; }
}

/// <summary>State and reason (ELBv2 API Reference, TargetHealth).</summary>
public class TargetHealth
{
    public string? Description { get; set; }
    public TargetHealthReasonEnum? Reason { get; set; }
    public TargetHealthStateEnum? State { get; set; }
}
