using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

/// <summary>A schedule as it is stored.</summary>
internal sealed class Schedule : IResource<ScheduleKind>
{
    public required TenantId TenantId { get; init; }

    public required ScheduleId Id { get; init; }

    public string Name { get; private set; } = "";

    public string? Cron { get; private set; }

    public string? Rrule { get; private set; }

    public DateTime Anchor { get; private set; }

    public string TimeZone { get; private set; } = "";

    public StartRunRequest Run { get; private set; } = null!;

    public MisfirePolicy Misfire { get; private set; }

    public OverlapPolicy Overlap { get; private set; }

    public bool Enabled { get; private set; }

    public DateTimeOffset? NextAt { get; private set; }

    /// <summary>In whose name its runs start.</summary>
    public required ApiKeyId CreatedBy { get; init; }

    public required string Member { get; init; }

    public int Version { get; set; } = 1;

    public required DateTimeOffset CreatedAt { get; init; }

    public Recurrence Times => Recurrence.Stored(Cron, Rrule, TimeZone, Anchor);

    public void Become(ScheduleRequest wanted, DateTime anchor, DateTimeOffset next)
    {
        (Name, Run, Misfire, Overlap, Enabled) = (wanted.Name, wanted.Run, wanted.Misfire, wanted.Overlap, wanted.Enabled);
        (Cron, Rrule, Anchor, TimeZone, NextAt) = (wanted.Cron, wanted.Rrule, anchor, wanted.TimeZone, wanted.Enabled ? next : null);
    }

    internal sealed class Table : IEntityTypeConfiguration<Schedule>
    {
        public void Configure(EntityTypeBuilder<Schedule> builder)
        {
            builder.ToTable("schedule", "scheduling").HasKey(schedule => new { schedule.TenantId, schedule.Id });
            builder.Property(schedule => schedule.Version).IsConcurrencyToken();
            builder.Property(schedule => schedule.Anchor).HasColumnType("timestamp");
            builder.Ignore(schedule => schedule.Times);
            builder.Property(schedule => schedule.Run).HasColumnType("jsonb").HasConversion(
                run => JsonSerializer.Serialize(run, Json.Api),
                text => JsonSerializer.Deserialize<StartRunRequest>(text, Json.Api)!,
                new ValueComparer<StartRunRequest>(
                    (a, b) => JsonSerializer.Serialize(a, Json.Api) == JsonSerializer.Serialize(b, Json.Api), run => 0, run => run));
        }
    }
}
