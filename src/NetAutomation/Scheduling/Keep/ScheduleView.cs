using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Scheduling.Keep;

/// <summary>What becomes of occurrences that were missed by more than a minute.</summary>
public enum MisfirePolicy
{
    /// <summary>They do not run.</summary>
    Skip,

    /// <summary>The last of them runs.</summary>
    Once,
}

/// <summary>What becomes of an occurrence while the run of an earlier one is not final.</summary>
public enum OverlapPolicy
{
    /// <summary>It does not run.</summary>
    Skip,

    /// <summary>It waits; at most ten wait.</summary>
    Queue,
}

/// <summary>Starts a run at every occurrence.</summary>
/// <param name="Id">The schedule.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="Cron">Five cron fields.</param>
/// <param name="Rrule">An RRULE (RFC 5545).</param>
/// <param name="TimeZone">IANA time zone of the local times.</param>
/// <param name="Run">What is run; its targets are resolved at each occurrence.</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts nothing.</param>
/// <param name="NextAt">The next occurrence; null where disabled or over.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record ScheduleView(
    ScheduleId Id, string Name, string? Cron, string? Rrule, string TimeZone, StartRunRequest Run, MisfirePolicy Misfire, OverlapPolicy Overlap, bool Enabled,
    DateTimeOffset? NextAt, DateTimeOffset CreatedAt)
{
    internal static Task<List<Row>> Read(NetAutomationDb db, TenantId tenant, Guid? id, Guid? below, int take, CancellationToken cancel) => db.Query<Row>(
        $"""
        select id, name, cron, rrule, anchor, time_zone, run::text as run, misfire, overlap, enabled, next_at, version, created_at from scheduling.schedule
        where tenant_id = {tenant.Value} and ({id}::uuid is null or id = {id}) and ({below}::uuid is null or id < {below}) order by id desc limit {take}
        """,
        cancel);

    internal sealed record Row(
        Guid Id, string Name, string? Cron, string? Rrule, DateTime Anchor, string TimeZone, string Run, string Misfire, string Overlap, bool Enabled,
        DateTimeOffset? NextAt, int Version, DateTimeOffset CreatedAt)
    {
        public Recurrence Times => Recurrence.Stored(Cron, Rrule, TimeZone, Anchor);

        public StartRunRequest Request => JsonSerializer.Deserialize<StartRunRequest>(Run, Json.Api)!;

        public ScheduleView View() => new(
            new ScheduleId(Id), Name, Cron, Rrule, TimeZone, Request, Wire.Value<MisfirePolicy>(Misfire), Wire.Value<OverlapPolicy>(Overlap), Enabled, NextAt, CreatedAt);
    }
}
