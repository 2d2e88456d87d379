namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>A target group (ELBv2 API Reference, TargetGroup).</summary>
public class TargetGroup
{
    public ProtocolEnum? Protocol { get; set; }
    public string? TargetGroupName { get; set; }
    public TargetTypeEnum? TargetType { get; set; }
}
