namespace NetAutomation.Tunnel;

/// <summary>Why a dial gave no stream. The first group is the connector's word, the second the service's.</summary>
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
    public const string Expired = "expired";
    public const string NoReplica = "no-replica";
    public const string ConnectorAbsent = "connector_absent";

    /// <summary>Codes the connector may send; anything else is read as <see cref="Io"/>.</summary>
    public static bool IsFromConnector(string code) =>
        code is NotAllowed or Fenced or Refused or Unreachable or Dns or Timeout or Busy or ShuttingDown or Io;

    /// <summary>Another link may be tried: no byte has flowed, and the device was not asked or nobody can know it.</summary>
    public static bool AnotherLinkMayServe(string code) =>
        code is NotAttached or LinkLost or Busy or ShuttingDown or NoReplica or ConnectorAbsent;
}
