using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Windows;

/// <summary>A window as it is stored. Further columns say how far <see cref="WindowCalendars"/> has written its intervals.</summary>
internal sealed class Window : IResource<WindowKind>
{
    public required TenantId TenantId { get; init; }

    public required WindowId Id { get; init; }

    public string Name { get; private set; } = "";

    public WindowRule Kind { get; private set; }

    public string? Cron { get; private set; }

    public string? Rrule { get; private set; }

    public DateTime Anchor { get; private set; }

    /// <summary>Where a COUNT of the rule ends.</summary>
    public DateTime? Last { get; private set; }

    public string TimeZone { get; private set; } = "";

    public int Minutes { get; private set; }

    public string? Selector { get; private set; }

    public int Version { get; set; } = 1;

    public required DateTimeOffset CreatedAt { get; init; }

    public string Duration => System.Xml.XmlConvert.ToString(TimeSpan.FromMinutes(Minutes));

    public void Become(WindowRequest wanted, DateTime anchor, DateTime? last)
    {
        (Name, Kind, Minutes, Selector) = (wanted.Name, wanted.Kind, WindowView.Minutes(wanted.Duration)!.Value, wanted.Selector);
        (Cron, Rrule, Anchor, Last, TimeZone) = (wanted.Cron, wanted.Rrule, anchor, last, wanted.TimeZone!);
    }

    internal sealed class Table : IEntityTypeConfiguration<Window>
    {
        public void Configure(EntityTypeBuilder<Window> builder)
        {
            builder.ToTable("maintenance_window", "runs").HasKey(window => new { window.TenantId, window.Id });
            builder.Property(window => window.Version).IsConcurrencyToken();
            builder.Property(window => window.Anchor).HasColumnType("timestamp");
            builder.Property(window => window.Last).HasColumnType("timestamp");
        }
    }
}
