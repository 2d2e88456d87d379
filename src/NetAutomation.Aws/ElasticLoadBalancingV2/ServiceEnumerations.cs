using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>Protocol of a target group (ELBv2 API Reference, TargetGroup).</summary>
public class ProtocolEnum(string value) : ConstantClass(value)
{
    public static readonly ProtocolEnum HTTP = new("HTTP");
    public static readonly ProtocolEnum HTTPS = new("HTTPS");
    public static readonly ProtocolEnum TCP = new("TCP");
    public static readonly ProtocolEnum TLS = new("TLS");
    public static readonly ProtocolEnum UDP = new("UDP");
    public static readonly ProtocolEnum TCP_UDP = new("TCP_UDP");
    public static readonly ProtocolEnum GENEVE = new("GENEVE");
    public static readonly ProtocolEnum QUIC = new("QUIC");
    public static readonly ProtocolEnum TCP_QUIC = new("TCP_QUIC");

    public static ProtocolEnum FindValue(string value) => FindValue<ProtocolEnum>(value);

    public static implicit operator ProtocolEnum(string value) => FindValue(value);
}

/// <summary>What a target group registers (ELBv2 API Reference, TargetGroup).</summary>
public class TargetTypeEnum(string value) : ConstantClass(value)
{
    public static readonly TargetTypeEnum Instance = new("instance");
    public static readonly TargetTypeEnum Ip = new("ip");
    public static readonly TargetTypeEnum Lambda = new("lambda");
    public static readonly TargetTypeEnum Alb = new("alb");

    public static TargetTypeEnum FindValue(string value) => FindValue<TargetTypeEnum>(value);

    public static implicit operator TargetTypeEnum(string value) => FindValue(value);
}

/// <summary>Address type of a target group (ELBv2 API Reference, TargetGroup).</summary>
public class TargetGroupIpAddressTypeEnum(string value) : ConstantClass(value)
{
    public static readonly TargetGroupIpAddressTypeEnum Ipv4 = new("ipv4");
    public static readonly TargetGroupIpAddressTypeEnum Ipv6 = new("ipv6");

    public static TargetGroupIpAddressTypeEnum FindValue(string value) => FindValue<TargetGroupIpAddressTypeEnum>(value);

    public static implicit operator TargetGroupIpAddressTypeEnum(string value) => FindValue(value);
}

/// <summary>State of a target (ELBv2 API Reference, TargetHealth).</summary>
public class TargetHealthStateEnum(string value) : ConstantClass(value)
{
    public static readonly TargetHealthStateEnum Initial = new("initial");
    public static readonly TargetHealthStateEnum Healthy = new("healthy");
    public static readonly TargetHealthStateEnum Unhealthy = new("unhealthy");
    public static readonly TargetHealthStateEnum UnhealthyDraining = new("unhealthy.draining");
    public static readonly TargetHealthStateEnum Unused = new("unused");
    public static readonly TargetHealthStateEnum Draining = new("draining");
    public static readonly TargetHealthStateEnum Unavailable = new("unavailable");

    public static TargetHealthStateEnum FindValue(string value) => FindValue<TargetHealthStateEnum>(value);

    public static implicit operator TargetHealthStateEnum(string value) => FindValue(value);
}

/// <summary>Reason of a target state other than healthy (ELBv2 API Reference, TargetHealth).</summary>
public class TargetHealthReasonEnum(string value) : ConstantClass(value)
{
    public static readonly TargetHealthReasonEnum ElbRegistrationInProgress = new("Elb.RegistrationInProgress");
    public static readonly TargetHealthReasonEnum ElbInitialHealthChecking = new("Elb.InitialHealthChecking");
    public static readonly TargetHealthReasonEnum TargetResponseCodeMismatch = new("Target.ResponseCodeMismatch");
    public static readonly TargetHealthReasonEnum TargetTimeout = new("Target.Timeout");
    public static readonly TargetHealthReasonEnum TargetFailedHealthChecks = new("Target.FailedHealthChecks");
    public static readonly TargetHealthReasonEnum TargetNotRegistered = new("Target.NotRegistered");
    public static readonly TargetHealthReasonEnum TargetNotInUse = new("Target.NotInUse");
    public static readonly TargetHealthReasonEnum TargetDeregistrationInProgress = new("Target.DeregistrationInProgress");
    public static readonly TargetHealthReasonEnum TargetInvalidState = new("Target.InvalidState");
    public static readonly TargetHealthReasonEnum TargetIpUnusable = new("Target.IpUnusable");
    public static readonly TargetHealthReasonEnum TargetHealthCheckDisabled = new("Target.HealthCheckDisabled");
    public static readonly TargetHealthReasonEnum ElbInternalError = new("Elb.InternalError");

    public static TargetHealthReasonEnum FindValue(string value) => FindValue<TargetHealthReasonEnum>(value);

    public static implicit operator TargetHealthReasonEnum(string value) => FindValue(value);
}
