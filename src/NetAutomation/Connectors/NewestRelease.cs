using NetAutomation.Connectors.Enrol;

namespace NetAutomation.Connectors;

/// <summary>The connector program that a new customer installs.</summary>
internal sealed class NewestRelease(ConnectorReleases releases)
{
    /// <summary>Null where this service hands out none.</summary>
    public string? Version => releases.Newest?.ToString(3);
}
