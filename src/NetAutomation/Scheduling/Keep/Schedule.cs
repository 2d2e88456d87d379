using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

/// <summary>A row: what the tenant asked for, and what the service adds to it.</summary>
/// <param name="CreatedBy">The member in whose name its runs start.</param>
internal sealed record Schedule(
    TenantId TenantId, ScheduleId Id, MemberId CreatedBy, string Member, DateTimeOffset CreatedAt, string Name, string TimeZone,
    StartRunRequest Run) : ScheduleRequest(Name, Run, TimeZone), IResource<ScheduleKind>
{
    public required DateTime Anchor { get; set; }

    /// <summary>Where a COUNT of the rule ends.</summary>
    public DateTime? Last { get; set; }

    /// <summary>The next occurrence; null where disabled, over or put aside.</summary>
    public required DateTimeOffset? NextAt { get; set; }

    /// <summary>Null where the change policy asked for none so far.</summary>
    public ScheduleApproval? Approval { get; set; }

    public MemberId? DecidedBy { get; set; }

    /// <summary>Why it was refused.</summary>
    public string? Reason { get; set; }

    public int Version { get; set; } = 1;

    public Recurrence Times => Recurrence.Stored(Cron, Rrule, TimeZone!, Anchor, Last);

    internal sealed class Table : IEntityTypeConfiguration<Schedule>
    {
        public void Configure(EntityTypeBuilder<Schedule> builder)
        {
            builder.ToTable("schedule", "scheduling").HasKey(schedule => new { schedule.TenantId, schedule.Id });
            builder.Property(schedule => schedule.Version).IsConcurrencyToken();
            builder.Property(schedule => schedule.Anchor).HasColumnType("timestamp");
            builder.Property(schedule => schedule.Last).HasColumnType("timestamp");
            builder.Ignore(schedule => schedule.Times);
            builder.Property(schedule => schedule.Run).HasColumnType("jsonb").HasConversion(
                run => JsonSerializer.Serialize(run, Json.Api),
                text => JsonSerializer.Deserialize<StartRunRequest>(text, Json.Api)!,
                new ValueComparer<StartRunRequest>(
                    (a, b) => JsonSerializer.Serialize(a, Json.Api) == JsonSerializer.Serialize(b, Json.Api), run => 0, run => run));
        }
    }
}
