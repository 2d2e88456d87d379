using System.Xml.Linq;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;
using static NetAutomation.AwsSimulator.Ec2.Ec2Xml;

namespace NetAutomation.AwsSimulator.Ec2;

/// <summary>The endpoint service owner's side of PrivateLink.</summary>
internal sealed class ProviderOperations(PrivateLink privateLink, SimulatorOptions options)
{
    private static readonly Dictionary<string, Func<(VpcEndpoint Endpoint, string State), string, bool>> _connectionFilters =
        new(StringComparer.Ordinal)
        {
            ["ip-address-type"] = (_, v) => v == "ipv4",
            ["service-id"] = (c, v) => c.Endpoint.Service.Id == v,
            ["vpc-endpoint-owner"] = (c, v) => c.Endpoint.Owner == v,
            ["vpc-endpoint-region"] = (c, v) =>
                v == "cross-region" ? c.Endpoint.Region != c.Endpoint.Service.Region : c.Endpoint.Region == v,
            ["vpc-endpoint-state"] = (c, v) => c.State == v,
            ["vpc-endpoint-id"] = (c, v) => c.Endpoint.Id == v,
        };

    private static readonly Dictionary<string, Func<EndpointService, string, bool>> _serviceFilters = new(StringComparer.Ordinal)
    {
        ["service-id"] = (s, v) => s.Id == v,
        ["service-name"] = (s, v) => s.Name == v,
        ["service-state"] = (_, v) => v == "Available",
        ["supported-ip-address-types"] = (_, v) => v == "ipv4",
    };

    private static readonly Dictionary<string, Func<KeyValuePair<string, string>, string, bool>> _permissionFilters =
        new(StringComparer.Ordinal)
        {
            ["principal"] = (p, v) => p.Key == v,
            ["principal-type"] = (p, v) => PrincipalType(p.Key) == v,
        };

    public Dictionary<string, QueryOperation> Operations => new(StringComparer.Ordinal)
    {
        ["ec2.DescribeVpcEndpointConnections"] = DescribeConnections,
        ["ec2.AcceptVpcEndpointConnections"] = form => Decide(form, privateLink.Accept),
        ["ec2.RejectVpcEndpointConnections"] = form => Decide(form, privateLink.Reject),
        ["ec2.DescribeVpcEndpointServiceConfigurations"] = DescribeServices,
        ["ec2.DescribeVpcEndpointServicePermissions"] = DescribePermissions,
        ["ec2.ModifyVpcEndpointServicePermissions"] = ModifyPermissions,
        ["ec2.StartVpcEndpointServicePrivateDnsVerification"] = StartDnsVerification,
    };

    private XElement DescribeConnections(QueryForm form)
    {
        StopIfDryRun(form);
        var rows = form.Account == options.ProviderAccount ? privateLink.Connections() : [];
        return Paged(form, "vpcEndpointConnectionSet", Filter(form, rows, _connectionFilters), c => c.Endpoint.Sequence, c => new object[]
        {
            new XElement("serviceId", c.Endpoint.Service.Id),
            new XElement("vpcEndpointId", c.Endpoint.Id),
            new XElement("vpcEndpointOwner", c.Endpoint.Owner),
            new XElement("vpcEndpointState", c.State),
            new XElement("creationTimestamp", Time(c.Endpoint.Created)),
            DnsEntries(c.Endpoint),
            Set("networkLoadBalancerArnSet", [LoadBalancer.ArnOf(options)]),
            new XElement("ipAddressType", "ipv4"),
            new XElement("vpcEndpointConnectionId", c.Endpoint.ConnectionId),
            Tags(),
            new XElement("vpcEndpointRegion", c.Endpoint.Region),
        });
    }

    private XElement Decide(QueryForm form, Func<EndpointService, string, AwsException?> decide)
    {
        var service = privateLink.ServiceOf(form.Account, form.Required("ServiceId"));
        var ids = form.List("VpcEndpointId");
        if (ids.Count == 0)
        {
            throw new AwsException("MissingParameter", "The request must contain the parameter VpcEndpointId");
        }
        ids.ForEach(PrivateLink.RequireEndpointId);
        StopIfDryRun(form);
        return new XElement("result", Unsuccessful(ids.ConvertAll(id => (id, decide(service, id)))));
    }

    private XElement DescribeServices(QueryForm form)
    {
        StopIfDryRun(form);
        var ids = form.List("ServiceId");
        var rows = ids.Count > 0 ? ids.Select(id => privateLink.ServiceOf(form.Account, id))
            : form.Account == options.ProviderAccount ? privateLink.Services : [];
        var numbered = Filter(form, rows, _serviceFilters).Select((s, i) => (Service: s, Position: (long)i));
        return Paged(form, "serviceConfigurationSet", numbered, r => r.Position, r => new object?[]
        {
            Set("serviceType", [new XElement("serviceType", "Interface")]),
            new XElement("serviceId", r.Service.Id),
            new XElement("serviceName", r.Service.Name),
            new XElement("serviceState", "Available"),
            Set("availabilityZoneSet", [options.Region + "a"]),
            new XElement("acceptanceRequired", r.Service.AcceptanceRequired),
            new XElement("managesVpcEndpoints", false),
            Set("networkLoadBalancerArnSet", [LoadBalancer.ArnOf(options)]),
            Set("supportedIpAddressTypeSet", ["ipv4"]),
            Set("baseEndpointDnsNameSet", [r.Service.BaseDnsName]),
            r.Service.PrivateDns is null ? null : new XElement("privateDnsName", r.Service.PrivateDns.Name),
            r.Service.PrivateDns is null ? null : new XElement("privateDnsNameConfiguration",
                new XElement("state", privateLink.DnsState(r.Service)),
                new XElement("type", "TXT"),
                new XElement("value", r.Service.PrivateDns.TxtValue),
                new XElement("name", r.Service.PrivateDns.TxtName)),
            Tags(),
            Set("supportedRegionSet",
                r.Service.FurtherRegions.Prepend(options.Region)
                    .Select(name => new object[] { new XElement("region", name), new XElement("serviceState", "Available") })),
            new XElement("remoteAccessEnabled", r.Service.FurtherRegions.Count > 0),
        });
    }

    private XElement StartDnsVerification(QueryForm form)
    {
        var service = privateLink.ServiceOf(form.Account, form.Required("ServiceId"));
        StopIfDryRun(form);
        privateLink.StartDnsVerification(service);
        return new XElement("result", new XElement("return", true));
    }

    private XElement DescribePermissions(QueryForm form)
    {
        var service = privateLink.ServiceOf(form.Account, form.Required("ServiceId"));
        StopIfDryRun(form);
        var numbered = Filter(form, privateLink.PrincipalsOf(service), _permissionFilters)
            .Select((p, i) => (Permission: p, Position: (long)i));
        return Paged(form, "allowedPrincipals", numbered, r => r.Position, r => new object[] { Permission(service, r.Permission), Tags() });
    }

    private XElement ModifyPermissions(QueryForm form)
    {
        var service = privateLink.ServiceOf(form.Account, form.Required("ServiceId"));
        StopIfDryRun(form);
        var added = privateLink.ModifyPrincipals(service, form.List("AddAllowedPrincipals"), form.List("RemoveAllowedPrincipals"));
        return new XElement("result", Set("addedPrincipalSet", added.Select(p => Permission(service, p))), new XElement("return", true));
    }

    private static object[] Permission(EndpointService service, KeyValuePair<string, string> permission) =>
    [
        new XElement("principalType", PrincipalType(permission.Key)),
        new XElement("principal", permission.Key),
        new XElement("servicePermissionId", permission.Value),
        new XElement("serviceId", service.Id),
    ];

    private static string PrincipalType(string principal) =>
        principal == "*" ? "All" :
        principal.Contains(":organizations:", StringComparison.Ordinal) ? "OrganizationUnit" :
        principal.Contains(":role/", StringComparison.Ordinal) ? "Role" :
        principal.Contains(":user/", StringComparison.Ordinal) ? "User" : "Account";
}
