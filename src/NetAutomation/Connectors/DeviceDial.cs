namespace NetAutomation.Connectors;

/// <summary>A request for a TCP stream to a device through a connector of its site.</summary>
/// <param name="Run">Null outside a run.</param>
/// <param name="Fence">The run's fence on the device. Outside a run <see cref="DeviceDialler"/> sets it.</param>
/// <param name="Exclusive">Exclusive streams raise the device's fence at the connector; shared ones are refused below it.</param>
internal sealed record DeviceDial(
    TenantId Tenant, SiteId Site, DeviceId Device, string Host, int Port, RunId? Run, long Fence, bool Exclusive)
{
    /// <summary>Outside a run: it shares the device, and ends as soon as a run comes that writes.</summary>
    public static DeviceDial OutsideRuns(TenantId tenant, SiteId site, DeviceId device, string host, int port) =>
        new(tenant, site, device, host, port, null, 0, false);
}

/// <summary>A stream, or why there is none: a code of <see cref="Tunnel.DialCodes"/>.</summary>
internal sealed record DialResult(TunnelStream? Stream, string? Code, string? Detail)
{
    public static DialResult Failed(string code, string? detail = null) => new(null, code, detail);
}
