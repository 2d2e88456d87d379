using System.ComponentModel.DataAnnotations;
using System.Net;
using NetAutomation.Web;

namespace NetAutomation.Edge.Targets;

/// <summary>The target groups in which this process registers itself; section <c>Targets</c>.</summary>
internal sealed class TargetsOptions : IValidatableObject
{
    /// <summary>ARN of the target group of the customer listener; empty where the process does not register itself.</summary>
    public string Customer { get; set; } = "";

    /// <summary>ARN of the target group of the connector listener.</summary>
    public string Connector { get; set; } = "";

    /// <summary>
    /// The address at which the load balancer reaches this process; empty for the one that the operating system would use.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>False only where connections carry PROXY headers that the target group did not put there.</summary>
    public bool RequireProxyProtocol { get; set; } = true;

    /// <summary>How long AWS may fail to answer at start.</summary>
    [Range(1, 3600)]
    public int StartSeconds { get; set; } = 60;

    /// <summary>
    /// The longest time that a process which ends waits for the load balancer; give the group a shorter deregistration delay. The drain and
    /// the rest of the shutdown must fit into the time that the orchestrator gives (Amazon ECS on Fargate: 120 s at most).
    /// </summary>
    [Range(0, 3600)]
    public int DrainSeconds { get; set; } = 60;

    public IEnumerable<(Listener Listener, string Arn)> Groups() =>
        new[] { (Listener.Customer, Customer), (Listener.Connector, Connector) }.Where(group => group.Item2.Length > 0);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Address.Length == 0 || IPAddress.TryParse(Address, out _) ? [] : [new($"Targets:Address is an IP address, not '{Address}'.")];
}
