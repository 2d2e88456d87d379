using System.Globalization;
using System.Net;

namespace NetAutomation.AwsSimulator.State;

internal sealed class TargetGroup(TargetGroupOptions options, string arn)
{
    public const string ProxyProtocol = "proxy_protocol_v2.enabled";
    public const string DeregistrationDelay = "deregistration_delay.timeout_seconds";
    public const string DeregistrationCuts = "deregistration_delay.connection_termination.enabled";
    public const string UnhealthyCuts = "target_health_state.unhealthy.connection_termination.enabled";

    public string Name => options.Name;
    public string Arn => arn;
    public int Port => options.Port;
    public string Protocol => options.Protocol;
    public string TargetType => options.TargetType;
    public HealthCheckOptions HealthCheck => options.HealthCheck;
    public List<Target> Targets { get; } = [];

    /// <summary>No listener forwards to the group: its targets are `unused`.</summary>
    public bool InUse { get; init; }

    public SortedDictionary<string, string> Attributes { get; } = new(StringComparer.Ordinal)
    {
        [ProxyProtocol] = options.ProxyProtocolV2 ? "true" : "false",
        [DeregistrationDelay] = options.DeregistrationDelaySeconds.ToString(CultureInfo.InvariantCulture),
        [DeregistrationCuts] = "false",
        [UnhealthyCuts] = "true",
        ["preserve_client_ip.enabled"] = options.PreserveClientIp ? "true" : "false",
        ["stickiness.enabled"] = "false",
        ["stickiness.type"] = "source_ip",
        ["load_balancing.cross_zone.enabled"] = "use_load_balancer_configuration",
    };

    public bool Is(string attribute) => Attributes[attribute] == "true";
}

/// <summary>initial -> healthy &lt;-> unhealthy; any -> draining -> gone.</summary>
internal sealed class Target(IPAddress address, int port, DateTimeOffset nextCheck)
{
    public IPEndPoint EndPoint { get; } = new(address, port);
    public string State { get; set; } = "initial";
    public string? Reason { get; set; } = "Elb.RegistrationInProgress";
    public string? Description { get; set; } = "Target registration is in progress";
    public int Passed { get; set; }
    public int Failed { get; set; }
    public DateTimeOffset NextCheck { get; set; } = nextCheck;
    public bool Checking { get; set; }
    public DateTimeOffset? DrainedAt { get; set; }
}
