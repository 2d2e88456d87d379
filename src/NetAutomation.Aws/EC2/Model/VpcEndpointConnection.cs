using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>A consumer's endpoint as its service sees it (EC2 API Reference, VpcEndpointConnection).</summary>
public class VpcEndpointConnection
{
    public DateTime? CreationTimestamp { get; set; }
    [WireName("dnsEntrySet")] public List<DnsEntry>? DnsEntries { get; set; }
    [WireName("gatewayLoadBalancerArnSet")] public List<string>? GatewayLoadBalancerArns { get; set; }
    public IpAddressType? IpAddressType { get; set; }
    [WireName("networkLoadBalancerArnSet")] public List<string>? NetworkLoadBalancerArns { get; set; }
    public string? ServiceId { get; set; }
    [WireName("tagSet")] public List<Tag>? Tags { get; set; }
    public string? VpcEndpointConnectionId { get; set; }
    public string? VpcEndpointId { get; set; }
    public string? VpcEndpointOwner { get; set; }
    public string? VpcEndpointRegion { get; set; }
    public State? VpcEndpointState { get; set; }
}

/// <summary>A DNS name of an endpoint (EC2 API Reference, DnsEntry).</summary>
public class DnsEntry
{
    public string? DnsName { get; set; }
    public string? HostedZoneId { get; set; }
}
