using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Amazon.ElasticLoadBalancingV2;
using Amazon.ElasticLoadBalancingV2.Model;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Targets;

/// <summary>The configured target groups, and this process as their target (Elastic Load Balancing, Network Load Balancers).</summary>
internal sealed class TargetGroups(IAmazonElasticLoadBalancingV2 elb, EdgeAddresses addresses, IOptions<TargetsOptions> options)
{
    private const string ProxyProtocol = "proxy_protocol_v2.enabled";
    private const string PreserveClientIp = "preserve_client_ip.enabled";
    private const string Delay = "deregistration_delay.timeout_seconds";

    // Nothing is sent to this address (RFC 5737): connecting a datagram socket only chooses a route.
    private static readonly IPEndPoint _outside = new(IPAddress.Parse("192.0.2.1"), 9);

    /// <summary>Returns notes about the group for a person. Throws where no process of this service may stand behind it.</summary>
    public async Task<List<string>> Check(Listener listener, string arn, CancellationToken cancel)
    {
        var group = await Find(arn, cancel)
            ?? throw new RefusedToStartException($"Targets:{listener} names '{arn}', and there is no such target group.");
        var name = $"Targets:{listener}: target group {group.TargetGroupName}";
        if (group.TargetType != TargetTypeEnum.Ip || group.Protocol != ProtocolEnum.TCP)
        {
            throw new RefusedToStartException(
                $"{name} is of type {group.TargetType} and protocol {group.Protocol}; it has to be of type ip and protocol TCP, "
                + "since this process ends TLS and is registered by its address.");
        }

        var attributes =
            ((await elb.DescribeTargetGroupAttributesAsync(
                new DescribeTargetGroupAttributesRequest { TargetGroupArn = arn }, cancel)).Attributes ?? [])
            .ToDictionary(attribute => attribute.Key!, attribute => attribute.Value, StringComparer.Ordinal);
        var notes = new List<string>();
        if (attributes.GetValueOrDefault(ProxyProtocol) != "true")
        {
            notes.Add(
                !options.Value.RequireProxyProtocol ? $"{name} does not have {ProxyProtocol}=true." : throw new RefusedToStartException(
                    $"{name} does not have {ProxyProtocol}=true, so nobody could tell through which endpoint a connection came. "
                    + "Set the attribute, or Targets:RequireProxyProtocol=false."));
        }

        if (attributes.GetValueOrDefault(PreserveClientIp) == "true")
        {
            notes.Add(
                $"{name} has {PreserveClientIp}=true: connections that do not come through an endpoint show their own address, "
                + "which Edge:TrustedPeers refuses.");
        }

        if (int.TryParse(attributes.GetValueOrDefault(Delay), CultureInfo.InvariantCulture, out var delay)
            && delay > options.Value.DrainSeconds)
        {
            notes.Add(
                $"{name} lets go after {delay} s ({Delay}), and this process waits {options.Value.DrainSeconds} s for it "
                + "(Targets:DrainSeconds): connections that last longer are cut.");
        }

        return notes;
    }

    /// <summary>The address to register; throws where there is none.</summary>
    public IPAddress OwnAddress(IPAddress bound)
    {
        if (options.Value.Address.Length > 0)
        {
            return IPAddress.Parse(options.Value.Address);
        }

        if (!bound.Equals(IPAddress.Any) && !bound.Equals(IPAddress.IPv6Any))
        {
            return bound;
        }

        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(_outside);
        return ((IPEndPoint)socket.LocalEndPoint!).Address;
    }

    /// <summary>This process as a target of each group to which it listens.</summary>
    public List<OwnTarget> Own() => [.. options.Value.Groups().Where(group => addresses.Has(group.Listener)).Select(group =>
    {
        var bound = addresses.Of(group.Listener);
        return new OwnTarget(group.Arn, new TargetDescription { Id = $"{OwnAddress(bound.Address)}", Port = bound.Port });
    })];

    public Task Register(OwnTarget own, CancellationToken cancel) =>
        elb.RegisterTargetsAsync(new RegisterTargetsRequest { TargetGroupArn = own.Group, Targets = [own.Target] }, cancel);

    public Task Deregister(OwnTarget own, CancellationToken cancel) =>
        elb.DeregisterTargetsAsync(new DeregisterTargetsRequest { TargetGroupArn = own.Group, Targets = [own.Target] }, cancel);

    /// <summary>
    /// The load balancer may still send connections: the target is draining, or a late read does not show yet that it was taken out.
    /// </summary>
    public async Task<bool> Serves(OwnTarget own, CancellationToken cancel)
    {
        try
        {
            return (await Health(own.Group, [own.Target], cancel)).Exists(each => each.TargetHealth?.State != TargetHealthStateEnum.Unused);
        }
        catch (InvalidTargetException)
        {
            // The group no longer knows the target.
            return false;
        }
    }

    /// <summary>All targets of the configured groups.</summary>
    public async Task<List<TargetView>> Describe(CancellationToken cancel)
    {
        var all = new List<TargetView>();
        var own = Own();
        foreach (var (listener, arn) in options.Value.Groups())
        {
            var name = (await Find(arn, cancel))?.TargetGroupName;
            all.AddRange((await Health(arn, null, cancel)).Select(each => new TargetView(
                $"{listener}",
                name ?? arn,
                each.Target!.Id!,
                each.Target.Port ?? 0,
                each.TargetHealth?.State?.Value ?? "unknown",
                each.TargetHealth?.Reason?.Value,
                each.TargetHealth?.Description,
                own.Exists(mine => mine.Group == arn && mine.Target.Id == each.Target.Id && mine.Target.Port == each.Target.Port))));
        }

        return all;
    }

    private async Task<TargetGroup?> Find(string arn, CancellationToken cancel)
    {
        try
        {
            return (await elb.DescribeTargetGroupsAsync(
                new DescribeTargetGroupsRequest { TargetGroupArns = [arn] }, cancel)).TargetGroups?.FirstOrDefault();
        }
        catch (TargetGroupNotFoundException)
        {
            return null;
        }
    }

    private async Task<List<TargetHealthDescription>> Health(string arn, List<TargetDescription>? targets, CancellationToken cancel) =>
        (await elb.DescribeTargetHealthAsync(
            new DescribeTargetHealthRequest { TargetGroupArn = arn, Targets = targets }, cancel)).TargetHealthDescriptions ?? [];
}

/// <summary>This process in one group.</summary>
/// <param name="Group">ARN.</param>
internal sealed record OwnTarget(string Group, TargetDescription Target);
