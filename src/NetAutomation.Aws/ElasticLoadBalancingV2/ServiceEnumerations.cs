using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>Protocol of a target group (ELBv2 API Reference, TargetGroup).</summary>
public class ProtocolEnum(string value) : ConstantClass(value)
{
    public static readonly ProtocolEnum TCP = new("TCP");
}

/// <summary>Kind of targets of a group (ELBv2 API Reference, TargetGroup).</summary>
public class TargetTypeEnum(string value) : ConstantClass(value)
{
    public static readonly TargetTypeEnum Ip = new("ip");
}

/// <summary>State of a target (ELBv2 API Reference, TargetHealth).</summary>
public class TargetHealthStateEnum(string value) : ConstantClass(value)
{
    public static readonly TargetHealthStateEnum Unused = new("unused");
}

/// <summary>Reason of a target state other than healthy (ELBv2 API Reference, TargetHealth).</summary>
public class TargetHealthReasonEnum(string value) : ConstantClass(value);
