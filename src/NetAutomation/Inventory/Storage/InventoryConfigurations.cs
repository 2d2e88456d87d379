using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Rules;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Storage;

internal sealed class InventoryConfigurations
    : IEntityTypeConfiguration<Site>, IEntityTypeConfiguration<Device>, IEntityTypeConfiguration<Credential>,
    IEntityTypeConfiguration<TenantKeyRow>, IEntityTypeConfiguration<DevicePassword>
{
    public void Configure(EntityTypeBuilder<Site> builder)
    {
        builder.ToTable("site", "inventory").HasKey(site => new { site.TenantId, site.Id });
        builder.Property(site => site.Version).IsConcurrencyToken();
    }

    public void Configure(EntityTypeBuilder<Device> builder)
    {
        builder.ToTable("device", "inventory").HasKey(device => new { device.TenantId, device.Id });
        builder.Property(device => device.Version).IsConcurrencyToken();
        builder.Property(device => device.Labels).HasColumnType("jsonb").HasConversion(
            labels => JsonSerializer.Serialize(labels, Json.Api),
            text => JsonSerializer.Deserialize<Dictionary<string, string>>(text, Json.Api)!,
            new ValueComparer<Dictionary<string, string>>(
                (a, b) => Labels.Same(a!, b!), labels => labels.Count,
                labels => new Dictionary<string, string>(labels, StringComparer.Ordinal)));
        builder.Property(device => device.ConnectionOptions).HasColumnType("jsonb").HasConversion(
            options => JsonSerializer.Serialize(options, Json.Api),
            text => JsonSerializer.Deserialize<ConnectionOptions>(text, Json.Api)!);
    }

    public void Configure(EntityTypeBuilder<Credential> builder)
    {
        builder.ToTable("credential", "inventory").HasKey(credential => new { credential.TenantId, credential.Id });
        builder.Property(credential => credential.Version).IsConcurrencyToken();
    }

    public void Configure(EntityTypeBuilder<DevicePassword> builder) =>
        builder.ToTable("device_password", "inventory").HasKey(password => new { password.TenantId, password.DeviceId, password.Pending });

    public void Configure(EntityTypeBuilder<TenantKeyRow> builder) =>
        builder.ToTable("tenant_key", "inventory").HasKey(key => new { key.TenantId, key.Version });
}
