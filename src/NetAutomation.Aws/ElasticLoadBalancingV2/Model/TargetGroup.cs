namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>A target group (ELBv2 API Reference, TargetGroup).</summary>
public class TargetGroup
{
    public bool? HealthCheckEnabled { get; set; }
    public int? HealthCheckIntervalSeconds { get; set; }
    public string? HealthCheckPath { get; set; }
    public string? HealthCheckPort { get; set; }
    public ProtocolEnum? HealthCheckProtocol { get; set; }
    public int? HealthCheckTimeoutSeconds { get; set; }
    public int? HealthyThresholdCount { get; set; }
    public TargetGroupIpAddressTypeEnum? IpAddressType { get; set; }
    public List<string>? LoadBalancerArns { get; set; }
    public Matcher? Matcher { get; set; }
    public int? Port { get; set; }
    public ProtocolEnum? Protocol { get; set; }
    public string? ProtocolVersion { get; set; }
    public string? TargetGroupArn { get; set; }
    public string? TargetGroupName { get; set; }
    public TargetTypeEnum? TargetType { get; set; }
    public int? UnhealthyThresholdCount { get; set; }
    public string? VpcId { get; set; }
}

/// <summary>The answers that count as healthy (ELBv2 API Reference, Matcher).</summary>
public class Matcher
{
    public string? GrpcCode { get; set; }
    public string? HttpCode { get; set; }
}
