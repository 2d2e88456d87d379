using Amazon.Runtime;

namespace Amazon.EC2;

/// <summary>State of an endpoint connection (EC2 API Reference, VpcEndpointConnection).</summary>
public class State(string value) : ConstantClass(value)
{
    public static readonly State PendingAcceptance = new("PendingAcceptance");
    public static readonly State Pending = new("Pending");
    public static readonly State Available = new("Available");
    public static readonly State Deleting = new("Deleting");
    public static readonly State Deleted = new("Deleted");
    public static readonly State Rejected = new("Rejected");
    public static readonly State Failed = new("Failed");
    public static readonly State Expired = new("Expired");
    public static readonly State Partial = new("Partial");

    public static State FindValue(string value) => FindValue<State>(value);

    public static implicit operator State(string value) => FindValue(value);
}

/// <summary>Address type of an endpoint (EC2 API Reference, VpcEndpointConnection).</summary>
public class IpAddressType(string value) : ConstantClass(value)
{
    public static readonly IpAddressType Ipv4 = new("ipv4");
    public static readonly IpAddressType Dualstack = new("dualstack");
    public static readonly IpAddressType Ipv6 = new("ipv6");

    public static IpAddressType FindValue(string value) => FindValue<IpAddressType>(value);

    public static implicit operator IpAddressType(string value) => FindValue(value);
}

/// <summary>Kind of an allowed principal (EC2 API Reference, AllowedPrincipal).</summary>
public class PrincipalType(string value) : ConstantClass(value)
{
    public static readonly PrincipalType All = new("All");
    public static readonly PrincipalType Service = new("Service");
    public static readonly PrincipalType OrganizationUnit = new("OrganizationUnit");
    public static readonly PrincipalType Account = new("Account");
    public static readonly PrincipalType User = new("User");
    public static readonly PrincipalType Role = new("Role");

    public static PrincipalType FindValue(string value) => FindValue<PrincipalType>(value);

    public static implicit operator PrincipalType(string value) => FindValue(value);
}

/// <summary>State of an endpoint service (EC2 API Reference, ServiceConfiguration).</summary>
public class ServiceState(string value) : ConstantClass(value)
{
    public static readonly ServiceState Pending = new("Pending");
    public static readonly ServiceState Available = new("Available");
    public static readonly ServiceState Deleting = new("Deleting");
    public static readonly ServiceState Deleted = new("Deleted");
    public static readonly ServiceState Failed = new("Failed");

    public static ServiceState FindValue(string value) => FindValue<ServiceState>(value);

    public static implicit operator ServiceState(string value) => FindValue(value);
}

/// <summary>Type of an endpoint service (EC2 API Reference, ServiceTypeDetail).</summary>
public class ServiceType(string value) : ConstantClass(value)
{
    public static readonly ServiceType Interface = new("Interface");
    public static readonly ServiceType Gateway = new("Gateway");
    public static readonly ServiceType GatewayLoadBalancer = new("GatewayLoadBalancer");

    public static ServiceType FindValue(string value) => FindValue<ServiceType>(value);

    public static implicit operator ServiceType(string value) => FindValue(value);
}

/// <summary>Verification state of a private DNS name (EC2 API Reference, PrivateDnsNameConfiguration).</summary>
public class DnsNameState(string value) : ConstantClass(value)
{
    public static readonly DnsNameState PendingVerification = new("pendingVerification");
    public static readonly DnsNameState Verified = new("verified");
    public static readonly DnsNameState Failed = new("failed");

    public static DnsNameState FindValue(string value) => FindValue<DnsNameState>(value);

    public static implicit operator DnsNameState(string value) => FindValue(value);
}

/// <summary>Who pays for endpoint hours (EC2 API Reference, ServiceConfiguration).</summary>
public class PayerResponsibility(string value) : ConstantClass(value)
{
    public static readonly PayerResponsibility ServiceOwner = new("ServiceOwner");

    public static PayerResponsibility FindValue(string value) => FindValue<PayerResponsibility>(value);

    public static implicit operator PayerResponsibility(string value) => FindValue(value);
}
