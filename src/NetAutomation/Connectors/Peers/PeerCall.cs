namespace NetAutomation.Connectors.Peers;

/// <summary>
/// One call of a replica to another, complete and signed as a whole. Good for one path of one replica, for 30 s.
/// </summary>
/// <param name="Expires">Milliseconds since 1970; set when the call is signed.</param>
internal sealed record PeerCall(
    string Path, string To, Guid Tenant, Guid? Run, long Fence, Guid? Device = null, Guid? Site = null, string? Host = null, int Port = 0,
    bool Exclusive = false, int WithinMs = 0, long Expires = 0)
{
    public const string DialsPath = "/peer/v1/dials";
    public const string PermitsPath = "/peer/v1/permits";
    public const string FencesPath = "/peer/v1/fences";
    public const string ConfirmPath = "/peer/v1/streams:confirm";
    public const string Header = "netautomation-peer";
    public const string CodeHeader = "netautomation-dial-code";
    public const string DetailHeader = "netautomation-dial-detail";

    public TimeSpan Within => TimeSpan.FromMilliseconds(Math.Clamp(WithinMs, 0, 60_000));

    public static PeerCall Of(string path, string to, DeviceDial dial, TimeSpan within) => new(
        path, to, dial.Tenant.Value, dial.Run?.Value, dial.Fence, dial.Device.Value, dial.Site.Value, dial.Host, dial.Port, dial.Exclusive,
        (int)within.TotalMilliseconds);

    /// <summary>Null where the call names no device.</summary>
    public DeviceDial? Dial() => this is { Site: { } site, Device: { } device, Host: { } host }
        ? new(new(Tenant), new(site), new(device), host, Port, Run is { } run ? new RunId(run) : null, Fence, Exclusive)
        : null;
}

/// <summary>The answer of a replica about the streams of a run.</summary>
/// <param name="Confirmed">The connectors of these sessions have said that none is open.</param>
/// <param name="Sessions">The tenant's sessions this replica holds.</param>
internal sealed record PeerConfirmation(bool Confirmed, IReadOnlyList<Guid> Sessions);
