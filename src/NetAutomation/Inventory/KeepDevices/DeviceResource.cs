using NetAutomation.Inventory.Model;
using NetAutomation.Web.Http;

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
/// <param name="ConnectionOptions">How it is logged in to where it differs from its platform.</param>
/// <param name="CreatedAt">When it was added.</param>
/// <param name="PasswordRotatedAt">When a run gave it the password that counts in place of its credential's; null: none did.</param>
/// <param name="PasswordPendingSince">Since when it may have another password, which the next login tries, too; null: none.</param>
public sealed record DeviceResource(
    DeviceId Id, string Name, SiteId SiteId, string Address, int Port, string Platform, CredentialId CredentialId, string? HostKeySha256,
    IReadOnlyDictionary<string, string> Labels, bool Enabled, ConnectionOptions ConnectionOptions, DateTimeOffset CreatedAt,
    DateTimeOffset? PasswordRotatedAt, DateTimeOffset? PasswordPendingSince)
{
    internal static readonly Resource<DeviceKind, Device, DeviceResource> Rows = new(
        "device", "/v1/devices", Of, Problems.DeviceInUse, ("device_name", Problems.DeviceNameTaken),
        ("device_address", Problems.DeviceAddressTaken));

    internal static DeviceResource Of(Device row) => new(
        row.Id, Name: row.Name, row.SiteId, Address: row.Address, row.Port, Platform: row.Platform, row.CredentialId, row.HostKeySha256,
        row.Labels, row.Enabled, row.ConnectionOptions, row.CreatedAt, row.PasswordRotatedAt, row.PasswordPendingSince);
}

/// <summary>A new device.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="Port">SSH port.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form <c>SHA256:…</c>; absent: pinned when first seen.</param>
/// <param name="Labels">Up to 64, in Kubernetes' syntax, and 4,096 characters together.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
/// <param name="ConnectionOptions">How it is logged in to where it differs from its platform.</param>
public sealed record CreateDeviceRequest(
    string Name,
    SiteId SiteId,
    string Address,
    string Platform,
    CredentialId CredentialId,
    int Port = 22,
    string? HostKeySha256 = null,
    Dictionary<string, string>? Labels = null,
    bool Enabled = true,
    ConnectionOptions? ConnectionOptions = null)
{
    internal DeviceFacts Facts() => new()
    {
        Name = Name,
        SiteId = SiteId,
        Address = Address,
        Port = Port,
        Platform = Platform,
        CredentialId = CredentialId,
        HostKeySha256 = HostKeySha256,
        Labels = Labels ?? [],
        Enabled = Enabled,
        ConnectionOptions = ConnectionOptions ?? new(),
    };
}

/// <summary>Changes to a device; absent members stay.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="Port">SSH port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form; the empty string forgets the pin, so that the next key a test sees is
/// pinned.</param>
/// <param name="Labels">Replaces all labels.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
/// <param name="ConnectionOptions">Replaces all of them; <c>{}</c> leaves everything to the platform.</param>
public sealed record ChangeDeviceRequest(
    string? Name = null,
    SiteId? SiteId = null,
    string? Address = null,
    int? Port = null,
    string? Platform = null,
    CredentialId? CredentialId = null,
    string? HostKeySha256 = null,
    Dictionary<string, string>? Labels = null,
    bool? Enabled = null,
    ConnectionOptions? ConnectionOptions = null)
{
    internal DeviceFacts Over(DeviceFacts facts) => new()
    {
        Name = Name ?? facts.Name,
        SiteId = SiteId ?? facts.SiteId,
        Address = Address ?? facts.Address,
        Port = Port ?? facts.Port,
        Platform = Platform ?? facts.Platform,
        CredentialId = CredentialId ?? facts.CredentialId,
        HostKeySha256 = HostKeySha256 is "" ? null : HostKeySha256 ?? facts.HostKeySha256,
        Labels = Labels ?? facts.Labels,
        Enabled = Enabled ?? facts.Enabled,
        ConnectionOptions = ConnectionOptions ?? facts.ConnectionOptions,
    };
}
