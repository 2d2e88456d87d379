using System.ComponentModel.DataAnnotations;
using System.Net;

namespace NetAutomation.Connectors;

/// <summary>Section <c>Connectors</c> of the configuration.</summary>
internal sealed class ConnectorsOptions : IValidatableObject
{
    /// <summary>Address and port connectors reach through the load balancer; empty turns the listener off.</summary>
    public string Listener { get; set; } = "0.0.0.0:8444";

    /// <summary>Port customers' connectors dial at their VPC endpoint.</summary>
    [Range(1, 65535)]
    public int Port { get; set; } = 8444;

    /// <summary>Holds <c>{version}/{rid}/netautomation-connector</c>.</summary>
    public string ReleasesDirectory { get; set; } = "";

    /// <summary>Name of this process in sessions and in the connector's log.</summary>
    public string Replica { get; set; } = Environment.MachineName;

    /// <summary>How long a stopping process waits for open streams.</summary>
    [Range(0, 86_400)]
    public int DrainSeconds { get; set; } = 25;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Listener.Length == 0 || IPEndPoint.TryParse(Listener, out _)
            ? []
            : [new ValidationResult($"Connectors:Listener is an address and port such as 0.0.0.0:8444, not '{Listener}'.")];
}
