using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Which permissions to list (EC2 API Reference, DescribeVpcEndpointServicePermissions).</summary>
public class DescribeVpcEndpointServicePermissionsRequest : AmazonWebServiceRequest
{
    public bool? DryRun { get; set; }
    [WireName("Filter")] public List<Filter>? Filters { get; set; }
    public int? MaxResults { get; set; }
    public string? NextToken { get; set; }
    public string? ServiceId { get; set; }
}

/// <summary>One page of allowed principals.</summary>
public class DescribeVpcEndpointServicePermissionsResponse : AmazonWebServiceResponse
{
    public List<AllowedPrincipal>? AllowedPrincipals { get; set; }
    public string? NextToken { get; set; }
}

/// <summary>A principal that may find the service (EC2 API Reference, AllowedPrincipal).</summary>
public class AllowedPrincipal
{
    public string? Principal { get; set; }
    public PrincipalType? PrincipalType { get; set; }
    public string? ServiceId { get; set; }
    public string? ServicePermissionId { get; set; }
    [WireName("tagSet")] public List<Tag>? Tags { get; set; }
}
