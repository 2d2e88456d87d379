using System.Globalization;

namespace NetAutomation.Tunnel;

/// <summary>Paths, headers and limits that both ends of the tunnel agree on.</summary>
public static class TunnelProtocol
{
    /// <summary>
    /// Version of the protocol. A new message type or an optional member does not raise it: both ends skip unknown ones.
    /// </summary>
    public const int Version = 1;

    /// <summary>The service speaks its own version and the two before; to any other it answers 426 and the range it accepts.</summary>
    public static readonly int OldestAccepted = Math.Max(1, Version - 2);

    public const string ChallengePath = "/v1/connector/challenge";
    public const string JoinPath = "/v1/connector/join";
    public const string CheckPath = "/v1/connector/check";
    public const string AttachPath = "/v1/connector/attach";
    public const string TunnelsPath = "/v1/connector/tunnels";
    public const string DialsPath = "/v1/connector/dials";
    public const string CutsPath = "/v1/connector/cuts";

    public const string VersionHeader = "netautomation-protocol";
    public const string AcceptedHeader = "netautomation-protocols-accepted";
    public const string ReasonHeader = "netautomation-reason";
    public const string ConnectorHeader = "netautomation-connector";
    public const string ProofHeader = "netautomation-proof";

    /// <summary>Tunnels one link may carry at once.</summary>
    public const int MaxTunnels = 256;

    /// <summary>
    /// HTTP/2 receive window of one tunnel at the service. With 256 KiB a fast device waits for credit even on one machine, and
    /// wake-ups take much of the time; 512 KiB carries 22 MB/s over 24 ms.
    /// </summary>
    public const int StreamWindow = 512 * 1024;

    /// <summary>
    /// HTTP/2 receive window of a whole link at the service. Kestrel gives credit back only after the application has read, so the
    /// window is twice MaxTunnels × StreamWindow: a smaller one would let tunnels with a stalled reader block all others.
    /// </summary>
    public const int ConnectionWindow = 256 * 1024 * 1024;

    /// <summary>One control message may not be longer than this.</summary>
    public const int MaxMessageBytes = 64 * 1024;

    /// <summary>RST_STREAM error code CANCEL (RFC 9113, section 7).</summary>
    public const int Http2Cancel = 8;

    /// <summary>HTTP/2 PING after this much silence; below the 350 s idle time-out of a Network Load Balancer.</summary>
    public static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(15);

    /// <summary>HttpClient looks at its PINGs every quarter of this, so a silent link is noticed within 38 s.</summary>
    public static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Streams of a run are cut when no permit has arrived for this long.</summary>
    public static readonly TimeSpan PermitTtl = TimeSpan.FromSeconds(25);

    /// <summary>A dial id is valid for one tunnel on one connection within this time.</summary>
    public static readonly TimeSpan DialIdLifetime = TimeSpan.FromSeconds(15);

    /// <summary>A signed statement may be this old, or this far in the future.</summary>
    public static readonly TimeSpan ProofSkew = TimeSpan.FromMinutes(5);

    /// <summary>Whether the service serves a connector with this protocol version.</summary>
    public static bool Accepts(string? version) => int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= OldestAccepted && number <= Version;
}
