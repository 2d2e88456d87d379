using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>The targets to put in (ELBv2 API Reference, RegisterTargets).</summary>
public class RegisterTargetsRequest : AmazonWebServiceRequest
{
    public string? TargetGroupArn { get; set; }
    public List<TargetDescription>? Targets { get; set; }
}

/// <summary>The targets are registered; their health follows.</summary>
public class RegisterTargetsResponse : AmazonWebServiceResponse;

/// <summary>The targets to take out, with the port they were registered with (ELBv2 API Reference, DeregisterTargets).</summary>
public class DeregisterTargetsRequest : AmazonWebServiceRequest
{
    public string? TargetGroupArn { get; set; }
    public List<TargetDescription>? Targets { get; set; }
}

/// <summary>The targets are draining.</summary>
public class DeregisterTargetsResponse : AmazonWebServiceResponse;

/// <summary>A target (ELBv2 API Reference, TargetDescription).</summary>
public class TargetDescription
{
    public string? Id { get; set; }
    public int? Port { get; set; }
}
