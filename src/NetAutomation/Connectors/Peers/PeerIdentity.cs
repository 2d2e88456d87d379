namespace NetAutomation.Connectors.Peers;

/// <summary>Where the other replicas reach this process; null where they cannot.</summary>
internal sealed class PeerIdentity
{
    public string? Url { get; set; }
}
