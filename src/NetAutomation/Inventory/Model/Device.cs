namespace NetAutomation.Inventory.Model;

internal sealed class Device
{
    public required TenantId TenantId { get; init; }

    public required DeviceId Id { get; init; }

    public string Name { get; private set; } = "";

    public SiteId SiteId { get; private set; }

    public string Address { get; private set; } = "";

    public int Port { get; private set; }

    public string Platform { get; private set; } = "";

    public CredentialId CredentialId { get; private set; }

    /// <summary>The pin, in OpenSSH's form <c>SHA256:…</c>; null until it is given or first seen.</summary>
    public string? HostKeySha256 { get; private set; }

    /// <summary>The whole public key behind the pin, where it was seen.</summary>
    public string? HostKey { get; private set; }

    public Dictionary<string, string> Labels { get; private set; } = [];

    public bool Enabled { get; private set; }

    public int Version { get; private set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DeviceFacts Facts() => new(Name, SiteId, Address, Port, Platform, CredentialId, HostKeySha256, Labels, Enabled);

    /// <summary>False where the device already is so.</summary>
    public bool Become(DeviceFacts facts)
    {
        if (Version > 0 && facts.Same(Facts()))
        {
            return false;
        }

        if (facts.HostKeySha256 != HostKeySha256)
        {
            HostKey = null;
        }

        (Name, SiteId, Address, Port, Platform) = (facts.Name, facts.SiteId, facts.Address, facts.Port, facts.Platform);
        (CredentialId, HostKeySha256, Labels, Enabled) = (facts.CredentialId, facts.HostKeySha256, facts.Labels, facts.Enabled);
        Version++;
        return true;
    }
}
