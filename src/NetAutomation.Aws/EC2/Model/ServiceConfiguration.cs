using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>An endpoint service of the account (EC2 API Reference, ServiceConfiguration).</summary>
public class ServiceConfiguration
{
    public bool? AcceptanceRequired { get; set; }
    [WireName("availabilityZoneIdSet")] public List<string>? AvailabilityZoneIds { get; set; }
    [WireName("availabilityZoneSet")] public List<string>? AvailabilityZones { get; set; }
    [WireName("baseEndpointDnsNameSet")] public List<string>? BaseEndpointDnsNames { get; set; }
    [WireName("gatewayLoadBalancerArnSet")] public List<string>? GatewayLoadBalancerArns { get; set; }
    public bool? ManagesVpcEndpoints { get; set; }
    [WireName("networkLoadBalancerArnSet")] public List<string>? NetworkLoadBalancerArns { get; set; }
    public PayerResponsibility? PayerResponsibility { get; set; }
    public string? PrivateDnsName { get; set; }
    public PrivateDnsNameConfiguration? PrivateDnsNameConfiguration { get; set; }
    public bool? RemoteAccessEnabled { get; set; }
    public string? ServiceId { get; set; }
    public string? ServiceName { get; set; }
    public ServiceState? ServiceState { get; set; }
    public List<ServiceTypeDetail>? ServiceType { get; set; }
    [WireName("supportedIpAddressTypeSet")] public List<string>? SupportedIpAddressTypes { get; set; }
    [WireName("supportedRegionSet")] public List<SupportedRegionDetail>? SupportedRegions { get; set; }
    [WireName("tagSet")] public List<Tag>? Tags { get; set; }
}

/// <summary>The TXT record that proves a private DNS name (EC2 API Reference, PrivateDnsNameConfiguration).</summary>
public class PrivateDnsNameConfiguration
{
    public string? Name { get; set; }
    public DnsNameState? State { get; set; }
    public string? Type { get; set; }
    public string? Value { get; set; }
}

/// <summary>The type of a service (EC2 API Reference, ServiceTypeDetail).</summary>
public class ServiceTypeDetail
{
    public ServiceType? ServiceType { get; set; }
}

/// <summary>A Region from which a service can be reached (EC2 API Reference, SupportedRegionDetail).</summary>
public class SupportedRegionDetail
{
    public string? Region { get; set; }
    public string? ServiceState { get; set; }
}
