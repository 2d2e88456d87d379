using System.Xml.Linq;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;
using static NetAutomation.AwsSimulator.Ec2.Ec2Xml;

namespace NetAutomation.AwsSimulator.Ec2;

/// <summary>The endpoint owner's side of PrivateLink.</summary>
internal sealed class ConsumerOperations(PrivateLink privateLink)
{
    private static readonly Dictionary<string, Func<VpcEndpoint, string, bool>> _filters = new(StringComparer.Ordinal)
    {
        ["service-name"] = (e, v) => e.Service.Name == v,
        ["vpc-id"] = (e, v) => e.Consumer.VpcId == v,
        ["vpc-endpoint-id"] = (e, v) => e.Id == v,
        ["vpc-endpoint-state"] = (e, v) => e.State == v,
        ["vpc-endpoint-type"] = (_, v) => v == "Interface",
    };

    public Dictionary<string, QueryOperation> Operations => new(StringComparer.Ordinal)
    {
        ["ec2.CreateVpcEndpoint"] = Create,
        ["ec2.DescribeVpcEndpoints"] = Describe,
        ["ec2.DeleteVpcEndpoints"] = Delete,
    };

    private XElement Create(QueryForm form)
    {
        if (form["VpcEndpointType"] is not "Interface")
        {
            throw new AwsException("InvalidParameter", "Only endpoints of type Interface are simulated.");
        }
        var consumer = new ConsumerSide(form.Required("VpcId"), form.List("SubnetId"), form.List("SecurityGroupId"), form["ClientToken"]);
        var service = form.Required("ServiceName");
        StopIfDryRun(form);
        // Across Regions the caller says where the service is.
        if (form["ServiceRegion"] is { } region ? region != privateLink.Region : form.Region != privateLink.Region)
        {
            throw new AwsException("InvalidServiceName", $"The Vpc Endpoint Service '{service}' does not exist");
        }
        var endpoint = privateLink.Create(new EndpointBirth(form.Account, service, form.Region) { Consumer = consumer });
        return new XElement("result",
            new XElement("vpcEndpoint", View(endpoint)),
            consumer.ClientToken is { } token ? new XElement("clientToken", token) : null);
    }

    private XElement Describe(QueryForm form)
    {
        var own = privateLink.Snapshot().Where(e => e.Owner == form.Account && e.Region == form.Region).ToList();
        var ids = form.List("VpcEndpointId");
        foreach (var id in ids)
        {
            PrivateLink.RequireEndpointId(id);
            if (!own.Exists(e => e.Id == id))
            {
                throw new AwsException("InvalidVpcEndpointId.NotFound", $"The Vpc Endpoint Id '{id}' does not exist");
            }
        }
        StopIfDryRun(form);
        return Paged(
            form, "vpcEndpointSet", Filter(form, own.Where(e => ids.Count == 0 || ids.Contains(e.Id)), _filters), e => e.Sequence, View);
    }

    private XElement Delete(QueryForm form)
    {
        var ids = form.List("VpcEndpointId");
        ids.ForEach(PrivateLink.RequireEndpointId);
        StopIfDryRun(form);
        return new XElement("result", Unsuccessful(ids.ConvertAll(id => (id, privateLink.Delete(form.Account, id)))));
    }

    private static object[] View(VpcEndpoint e) =>
    [
        new XElement("vpcEndpointId", e.Id),
        new XElement("vpcEndpointType", "Interface"),
        new XElement("vpcId", e.Consumer.VpcId),
        new XElement("serviceName", e.Service.Name),
        new XElement("state", e.State),
        new XElement("routeTableIdSet"),
        Set("subnetIdSet", e.Consumer.SubnetIds),
        Set("groupSet", e.Consumer.SecurityGroupIds.Select(g => new object[] { new XElement("groupId", g), new XElement("groupName", g) })),
        new XElement("ipAddressType", "ipv4"),
        new XElement("privateDnsEnabled", false),
        new XElement("requesterManaged", false),
        Set("networkInterfaceIdSet", ["eni-" + e.Id[5..]]),
        DnsEntries(e),
        new XElement("creationTimestamp", Time(e.Created)),
        Tags(),
        new XElement("ownerId", e.Owner),
        new XElement("serviceRegion", e.Service.Region),
    ];
}
