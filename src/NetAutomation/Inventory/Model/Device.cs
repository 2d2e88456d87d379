using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.Model;

/// <summary>A row: its facts, and what the service adds to them.</summary>
internal sealed record Device : DeviceFacts, IResource<DeviceKind>
{
    [SetsRequiredMembers]
    public Device(TenantId tenant, DeviceFacts facts, DateTimeOffset now)
        : base(facts) => (TenantId, Id, CreatedAt) = (tenant, DeviceId.New(), now);

    /// <summary>For EF Core, which sets every column afterwards.</summary>
    private Device()
    {
    }

    public TenantId TenantId { get; private init; }

    public DeviceId Id { get; private init; }

    /// <summary>The whole public key behind the pin, where it was seen.</summary>
    public string? HostKey { get; private set; }

    /// <summary>Since when it has a password of its own; null where its credential's counts.</summary>
    public DateTimeOffset? PasswordRotatedAt { get; private set; }

    /// <summary>Since when it may have another password, which no login has proven.</summary>
    public DateTimeOffset? PasswordPendingSince { get; private set; }

    public int Version { get; set; } = 1;

    public DateTimeOffset CreatedAt { get; private init; }

    /// <summary>Copies every member of the facts by its name; false where none differs.</summary>
    public static bool Become(EntityEntry<Device> row, DeviceFacts facts)
    {
        row.CurrentValues.SetValues(facts);
        if (row.Property(device => device.HostKeySha256).IsModified)
        {
            row.Entity.HostKey = null;
        }

        if (row.Property(device => device.CredentialId).IsModified)
        {
            (row.Entity.PasswordRotatedAt, row.Entity.PasswordPendingSince) = (null, null);
        }

        return row.State == EntityState.Modified;
    }
}
