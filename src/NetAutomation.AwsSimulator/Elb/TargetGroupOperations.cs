using System.Net;
using System.Xml.Linq;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Elb;

/// <summary>ELBv2 Query operations on target groups (API version 2015-12-01).</summary>
internal sealed class TargetGroupOperations(LoadBalancer loadBalancer, SimulatorOptions options)
{
    public Dictionary<string, QueryOperation> Operations => new(StringComparer.Ordinal)
    {
        ["elb.DescribeTargetGroups"] = DescribeGroups,
        ["elb.DescribeTargetGroupAttributes"] = form => Attributes(Group(form)),
        ["elb.ModifyTargetGroupAttributes"] = ModifyAttributes,
        ["elb.RegisterTargets"] = form => Change(form, loadBalancer.Register),
        ["elb.DeregisterTargets"] = form => Change(form, loadBalancer.Deregister),
        ["elb.DescribeTargetHealth"] = DescribeHealth,
    };

    private TargetGroup Group(QueryForm form) => loadBalancer.Group(form.Account, form.Required("TargetGroupArn"));

    private XElement DescribeGroups(QueryForm form)
    {
        var arns = form.List("TargetGroupArns.member");
        var names = form.List("Names.member");
        var groups = arns.Count > 0
            ? arns.ConvertAll(arn => loadBalancer.Group(form.Account, arn))
            : form.Account == options.ProviderAccount ? [.. loadBalancer.Groups] : [];
        if (names.Find(name => !groups.Exists(g => g.Name == name)) is not null)
        {
            throw new AwsException("TargetGroupNotFound", "One or more target groups not found");
        }
        if (form["LoadBalancerArn"] is { } balancer && balancer != LoadBalancer.ArnOf(options))
        {
            throw new AwsException("LoadBalancerNotFound", $"Load balancers '[{balancer}]' not found");
        }
        var size = form.Number("PageSize") ?? 400;
        if (size is < 1 or > 400)
        {
            throw new AwsException(
                "ValidationError", $"Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and 400");
        }
        var rows = groups.Where(g => (names.Count == 0 || names.Contains(g.Name)) && (form["LoadBalancerArn"] is null || g.InUse))
            .Select((g, i) => (Group: g, Position: (long)i));
        var (items, next) = Page.Cut(rows, r => r.Position, size, form["Marker"], "ValidationError");
        return new XElement("result",
            new XElement("TargetGroups", items.Select(r => Member(View(r.Group)))),
            next is null ? null : new XElement("NextMarker", next));
    }

    private object?[] View(TargetGroup group) =>
    [
        new XElement("TargetGroupArn", group.Arn),
        new XElement("TargetGroupName", group.Name),
        new XElement("Protocol", group.Protocol),
        new XElement("Port", group.Port),
        new XElement("VpcId", "vpc-00000000000000001"),
        new XElement("HealthCheckProtocol", group.HealthCheck.Protocol),
        new XElement(
            "HealthCheckPort", group.HealthCheck.Port?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "traffic-port"),
        new XElement("HealthCheckEnabled", true),
        new XElement("HealthCheckIntervalSeconds", Math.Max(1, group.HealthCheck.IntervalMilliseconds / 1000)),
        new XElement("HealthCheckTimeoutSeconds", Math.Max(1, group.HealthCheck.TimeoutMilliseconds / 1000)),
        new XElement("HealthyThresholdCount", group.HealthCheck.HealthyThreshold),
        new XElement("UnhealthyThresholdCount", group.HealthCheck.UnhealthyThreshold),
        group.HealthCheck.Protocol == "TCP" ? null : new XElement("HealthCheckPath", group.HealthCheck.Path),
        new XElement("LoadBalancerArns", group.InUse ? Member(LoadBalancer.ArnOf(options)) : null),
        new XElement("TargetType", group.TargetType),
        new XElement("IpAddressType", "ipv4"),
    ];

    private XElement ModifyAttributes(QueryForm form)
    {
        var group = Group(form);
        loadBalancer.SetAttributes(group, [.. form.Indexes("Attributes.member").Select(i =>
            (form.Required($"Attributes.member.{i}.Key"), form.Required($"Attributes.member.{i}.Value")))]);
        return Attributes(group);
    }

    private XElement Attributes(TargetGroup group) => new("result", new XElement("Attributes",
        loadBalancer.Read(() => group.Attributes.ToList())
            .Select(a => Member(new XElement("Key", a.Key), new XElement("Value", a.Value)))));

    private XElement Change(QueryForm form, Action<TargetGroup, IEnumerable<(string, int?)>> change)
    {
        var group = Group(form);
        var targets = Targets(form);
        if (targets.Count == 0)
        {
            throw new AwsException("ValidationError", "At least one target must be specified");
        }
        change(group, targets);
        return new XElement("result");
    }

    private XElement DescribeHealth(QueryForm form)
    {
        var group = Group(form);
        var asked = Targets(form).ConvertAll(t => LoadBalancer.Parse(group, t));
        return loadBalancer.Read(() =>
        {
            var at = asked.Count > 0 ? asked : group.Targets.ConvertAll(t => t.EndPoint);
            return new XElement(
                "result",
                new XElement("TargetHealthDescriptions", at.Select(e => Health(group, e, group.Targets.Find(t => t.EndPoint.Equals(e))))));
        });
    }

    private static XElement Health(TargetGroup group, IPEndPoint at, Target? target)
    {
        var (state, reason, description) = target is null
            ? ("unused", "Target.NotRegistered", "Target is not registered to the target group")
            : group.InUse ? (target.State, target.Reason, target.Description)
            : ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer");
        return Member(
            new XElement("Target", new XElement("Id", at.Address), new XElement("Port", at.Port), new XElement("AvailabilityZone", "all")),
            new XElement("HealthCheckPort", group.HealthCheck.Port ?? at.Port),
            new XElement("TargetHealth", new XElement("State", state),
                reason is null ? null : new XElement("Reason", reason),
                description is null ? null : new XElement("Description", description)));
    }

    private static List<(string, int?)> Targets(QueryForm form) =>
        [.. form.Indexes("Targets.member").Select(i => (form.Required($"Targets.member.{i}.Id"), form.Number($"Targets.member.{i}.Port")))];

    private static XElement Member(params object?[] content) => new("member", content);
}
