using NetAutomation.Inventory.Model;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>A router or switch.</summary>
/// <param name="Id">The device.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name, as the site's connectors reach it.</param>
/// <param name="Port">SSH port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="HostKeySha256">Pinned SSH host key; null until it is given or first seen.</param>
/// <param name="Labels">For selectors.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
/// <param name="CreatedAt">When it was added.</param>
public sealed record DeviceResource(
    DeviceId Id,
    string Name,
    SiteId SiteId,
    string Address,
    int Port,
    string Platform,
    CredentialId CredentialId,
    string? HostKeySha256,
    IReadOnlyDictionary<string, string> Labels,
    bool Enabled,
    DateTimeOffset CreatedAt)
{
    internal static DeviceResource Of(Device row) => new(
        row.Id, row.Name, row.SiteId, row.Address, row.Port, row.Platform, row.CredentialId, row.HostKeySha256, row.Labels, row.Enabled, row.CreatedAt);
}

/// <summary>A new device.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="Port">SSH port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form <c>SHA256:…</c>; absent: pinned when first seen.</param>
/// <param name="Labels">Up to 64, in Kubernetes' syntax.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
public sealed record CreateDeviceRequest(
    string Name,
    SiteId SiteId,
    string Address,
    CredentialId CredentialId,
    int Port = 22,
    string Platform = "frr",
    string? HostKeySha256 = null,
    Dictionary<string, string>? Labels = null,
    bool Enabled = true)
{
    internal DeviceFacts Facts() => new(Name, SiteId, Address, Port, Platform, CredentialId, HostKeySha256, Labels ?? [], Enabled);
}

/// <summary>Changes to a device; absent members stay.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="Port">SSH port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form; the empty string forgets the pin, so that the next key seen is pinned.</param>
/// <param name="Labels">Replaces all labels.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
public sealed record ChangeDeviceRequest(
    string? Name = null,
    SiteId? SiteId = null,
    string? Address = null,
    int? Port = null,
    string? Platform = null,
    CredentialId? CredentialId = null,
    string? HostKeySha256 = null,
    Dictionary<string, string>? Labels = null,
    bool? Enabled = null)
{
    internal DeviceFacts Over(DeviceFacts facts) => new(
        Name ?? facts.Name,
        SiteId ?? facts.SiteId,
        Address ?? facts.Address,
        Port ?? facts.Port,
        Platform ?? facts.Platform,
        CredentialId ?? facts.CredentialId,
        HostKeySha256 is "" ? null : HostKeySha256 ?? facts.HostKeySha256,
        Labels ?? facts.Labels,
        Enabled ?? facts.Enabled);
}
