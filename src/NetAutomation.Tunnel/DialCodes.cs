namespace NetAutomation.Tunnel;

/// <summary>Why a dial opened no stream. The connector sends the codes of the first group, the service sets those of the second.</summary>
public static class DialCodes
{
    public const string NotAllowed = "not-allowed";
    public const string Fenced = "fenced";
    public const string Refused = "refused";
    public const string Unreachable = "unreachable";
    public const string Dns = "dns";
    public const string Timeout = "timeout";
    public const string Busy = "busy";
    public const string ShuttingDown = "shutting-down";
    public const string Io = "io";

    public const string NotAttached = "not-attached";
    public const string LinkLost = "link-lost";
    public const string NoReplica = "no-replica";
    public const string ConnectorAbsent = "connector_absent";

    /// <summary>A run that writes has the device, so nothing outside it is let through.</summary>
    public const string Held = "held";

    /// <summary>Codes the connector may send; anything else is read as <see cref="Io"/>.</summary>
    public static bool IsFromConnector(string code) =>
        code is NotAllowed or Fenced or Refused or Unreachable or Dns or Timeout or Busy or ShuttingDown or Io;

    /// <summary>Another link may be tried: no byte has flowed, and the device was not dialled, or whether it was is unknown.</summary>
    public static bool AnotherLinkMayServe(string code) =>
        code is NotAttached or LinkLost or Busy or ShuttingDown or NoReplica or ConnectorAbsent;
}
