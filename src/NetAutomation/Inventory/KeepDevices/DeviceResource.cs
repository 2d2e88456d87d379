using NetAutomation.Inventory.Model;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>A router or switch.</summary>
public sealed record DeviceResource
{
    internal static readonly Resource<DeviceKind, Device, DeviceResource> Rows = new(
        "device", "/v1/devices", Of, Problems.DeviceInUse, ("device_name", Problems.DeviceNameTaken),
        ("device_address", Problems.DeviceAddressTaken));

    /// <summary>The device.</summary>
    public required DeviceId Id { get; init; }

    /// <summary>Unique in the tenant.</summary>
    public required string Name { get; init; }

    /// <summary>The network it is in.</summary>
    public required SiteId SiteId { get; init; }

    /// <summary>IP address or host name, as the site's connectors reach it.</summary>
    public required string Address { get; init; }

    /// <summary>SSH port.</summary>
    public required int Port { get; init; }

    /// <summary>Its operating system.</summary>
    public required string Platform { get; init; }

    /// <summary>The login.</summary>
    public required CredentialId CredentialId { get; init; }

    /// <summary>Pinned SSH host key; null until it is given or first seen.</summary>
    public required string? HostKeySha256 { get; init; }

    /// <summary>For selectors.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>False: runs that name it are refused.</summary>
    public required bool Enabled { get; init; }

    /// <summary>When it was added.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    internal static DeviceResource Of(Device row) => new()
    {
        Id = row.Id,
        Name = row.Name,
        SiteId = row.SiteId,
        Address = row.Address,
        Port = row.Port,
        Platform = row.Platform,
        CredentialId = row.CredentialId,
        HostKeySha256 = row.HostKeySha256,
        Labels = row.Labels,
        Enabled = row.Enabled,
        CreatedAt = row.CreatedAt,
    };
}

/// <summary>A new device.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="Port">SSH port.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form <c>SHA256:…</c>; absent: pinned when first seen.</param>
/// <param name="Labels">Up to 64, in Kubernetes' syntax.</param>
/// <param name="Enabled">False: runs that name it are refused.</param>
public sealed record CreateDeviceRequest(
    string Name,
    SiteId SiteId,
    string Address,
    string Platform,
    CredentialId CredentialId,
    int Port = 22,
    string? HostKeySha256 = null,
    Dictionary<string, string>? Labels = null,
    bool Enabled = true)
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
    };
}

/// <summary>Changes to a device; absent members stay.</summary>
/// <param name="Name">1 to 63 letters, digits, dots, hyphens and underscores; unique in the tenant.</param>
/// <param name="SiteId">The network it is in.</param>
/// <param name="Address">IP address or host name; unique in the site with its port.</param>
/// <param name="Port">SSH port.</param>
/// <param name="Platform">Its operating system.</param>
/// <param name="CredentialId">The login.</param>
/// <param name="HostKeySha256">SSH host key in OpenSSH's form; the empty string forgets the pin, so that the next key seen is
/// pinned.</param>
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
    };
}
