namespace NetAutomation.Connectors;

/// <summary>A request for a TCP stream to a device through a connector of its site.</summary>
/// <param name="Run">Null only for shared probing outside a run.</param>
/// <param name="Fence">The run's fence on the device; 0 outside a run.</param>
/// <param name="Exclusive">Exclusive streams raise the device's fence at the connector; shared ones are refused below it.</param>
internal sealed record DeviceDial(
    TenantId Tenant, SiteId Site, DeviceId Device, string Host, int Port, RunId? Run, long Fence, bool Exclusive);

/// <summary>A stream, or why there is none: a code of <see cref="Tunnel.DialCodes"/>.</summary>
internal sealed record DialResult(TunnelStream? Stream, string? Code, string? Detail)
{
    public static DialResult Failed(string code, string? detail = null) => new(null, code, detail);
}
