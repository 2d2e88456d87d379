using System.Xml.Linq;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;
using static NetAutomation.AwsSimulator.Ec2.Ec2Xml;

namespace NetAutomation.AwsSimulator.Ec2;

/// <summary>Notifications of endpoint connections.</summary>
internal sealed class NotificationOperations(ConnectionNotifications notifications, PrivateLink privateLink, SimulatorOptions options)
{
    private static readonly Dictionary<string, Func<ConnectionNotification, string, bool>> _filters = new(StringComparer.Ordinal)
    {
        ["connection-notification-arn"] = (n, v) => n.Topic == v,
        ["connection-notification-id"] = (n, v) => n.Id == v,
        ["connection-notification-state"] = (_, v) => v == "Enabled",
        ["connection-notification-type"] = (_, v) => v == "Topic",
        ["service-id"] = (n, v) => n.ServiceId == v,
        ["vpc-endpoint-id"] = (n, v) => n.EndpointId == v,
    };

    public Dictionary<string, QueryOperation> Operations => new(StringComparer.Ordinal)
    {
        ["ec2.CreateVpcEndpointConnectionNotification"] = Create,
        ["ec2.DescribeVpcEndpointConnectionNotifications"] = Describe,
        ["ec2.DeleteVpcEndpointConnectionNotifications"] = Delete,
    };

    private XElement Create(QueryForm form)
    {
        var (service, endpoint) = (form["ServiceId"], form["VpcEndpointId"]);
        if (service is null == endpoint is null)
        {
            throw new AwsException("InvalidParameterCombination", "Exactly one of ServiceId and VpcEndpointId must be specified");
        }
        if (service is not null)
        {
            privateLink.ServiceOf(form.Account, service);
        }
        else if (!privateLink.Snapshot().Any(e => e.Id == endpoint && e.Owner == form.Account))
        {
            throw new AwsException("InvalidVpcEndpointId.NotFound", $"The Vpc Endpoint Id '{endpoint}' does not exist");
        }
        var topic = form.Required("ConnectionNotificationArn");
        StopIfDryRun(form);
        var created = notifications.Create(form.Account, service, endpoint, topic, form.List("ConnectionEvents"), form["ClientToken"]);
        return new XElement("result",
            new XElement("connectionNotification", View(created)),
            created.ClientToken is { } token ? new XElement("clientToken", token) : null);
    }

    private XElement Describe(QueryForm form)
    {
        var own = notifications.Of(form.Account);
        var id = form["ConnectionNotificationId"];
        if (id is not null && !own.Any(n => n.Id == id))
        {
            throw new AwsException("InvalidConnectionNotification", $"The connection notification '{id}' does not exist");
        }
        StopIfDryRun(form);
        return Paged(
            form, "connectionNotificationSet", Filter(form, own.Where(n => id is null || n.Id == id), _filters), n => n.Sequence, View);
    }

    private XElement Delete(QueryForm form)
    {
        var ids = form.List("ConnectionNotificationId");
        StopIfDryRun(form);
        return new XElement("result", Unsuccessful(ids.ConvertAll(id => (id, notifications.Delete(form.Account, id)))));
    }

    private object?[] View(ConnectionNotification n) =>
    [
        new XElement("connectionNotificationId", n.Id),
        n.ServiceId is null ? null : new XElement("serviceId", n.ServiceId),
        n.EndpointId is null ? null : new XElement("vpcEndpointId", n.EndpointId),
        new XElement("connectionNotificationType", "Topic"),
        new XElement("connectionNotificationArn", n.Topic),
        Set("connectionEvents", n.Events),
        new XElement("connectionNotificationState", "Enabled"),
        new XElement("serviceRegion", options.Region),
    ];
}
