using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Connectors;

/// <summary>Section <c>Connectors</c> of the configuration.</summary>
internal sealed class ConnectorsOptions
{
    /// <summary>The name in the certificate of the connector listener; connectors sign it into their proofs.</summary>
    [Required]
    public string ServerName { get; set; } = "connect.netautomation.internal";

    /// <summary>Port customers' connectors dial at their VPC endpoint.</summary>
    [Range(1, 65535)]
    public int Port { get; set; } = 8444;

    /// <summary>PEM file of the certificate authority connectors pin; shown to the customer.</summary>
    public string CaFile { get; set; } = "";

    /// <summary>Holds <c>{version}/{rid}/netautomation-connector</c>.</summary>
    public string ReleasesDirectory { get; set; } = "";

    /// <summary>Name of this process in sessions and in the connector's log.</summary>
    public string Replica { get; set; } = Environment.MachineName;

    /// <summary>How long a stopping process waits for open streams.</summary>
    [Range(0, 86_400)]
    public int DrainSeconds { get; set; } = 25;
}

/// <summary>Whose VPC endpoint a connection of the connector listener came through; null refuses it. Edge supplies it.</summary>
internal sealed record ConnectionTenant(Func<HttpContext, TenantId?> Of);

/// <summary>Opens the connector listener: address, PROXY protocol, TLS. Edge supplies it.</summary>
internal sealed record ConnectorListener(Action<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions> Listen);
