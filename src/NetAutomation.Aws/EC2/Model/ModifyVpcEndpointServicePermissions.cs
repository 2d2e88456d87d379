using Amazon.Runtime;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>Principals to add and to remove (EC2 API Reference, ModifyVpcEndpointServicePermissions).</summary>
public class ModifyVpcEndpointServicePermissionsRequest : AmazonWebServiceRequest
{
    public List<string>? AddAllowedPrincipals { get; set; }
    public bool? DryRun { get; set; }
    public List<string>? RemoveAllowedPrincipals { get; set; }
    public string? ServiceId { get; set; }
}

/// <summary>The principals that were added.</summary>
public class ModifyVpcEndpointServicePermissionsResponse : AmazonWebServiceResponse
{
    [WireName("addedPrincipalSet")] public List<AddedPrincipal>? AddedPrincipals { get; set; }
    [WireName("return")] public bool? ReturnValue { get; set; }
}

/// <summary>A principal that was added (EC2 API Reference, AddedPrincipal).</summary>
public class AddedPrincipal
{
    public string? Principal { get; set; }
    public PrincipalType? PrincipalType { get; set; }
    public string? ServiceId { get; set; }
    public string? ServicePermissionId { get; set; }
}
