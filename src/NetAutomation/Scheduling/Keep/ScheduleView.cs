using NetAutomation.Runs;
using NetAutomation.Web.Http;

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

/// <summary>Whether another member lets a schedule start what the change policy asks an approval for.</summary>
public enum ScheduleApproval
{
    /// <summary>It starts no such run until another member has approved it.</summary>
    AwaitingApproval,

    /// <summary>It starts its runs until it is changed.</summary>
    Approved,

    /// <summary>It starts no such run until it is changed and approved.</summary>
    Refused,
}

/// <summary>Starts a run at every occurrence.</summary>
/// <param name="Id">The schedule.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="Cron">As it was given.</param>
/// <param name="Rrule">As it was given.</param>
/// <param name="TimeZone">IANA time zone of the local times; every local time comes once, also on the days clocks change.</param>
/// <param name="Run">What is run; its targets are resolved at each occurrence.</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts nothing.</param>
/// <param name="NextAt">The next occurrence; null where disabled, over, or put aside as too costly.</param>
/// <param name="Approval">Null where the change policy asked for none so far.</param>
/// <param name="DecidedBy">The member that approved or refused it.</param>
/// <param name="Reason">Why it was refused.</param>
/// <param name="CreatedBy">The member that made it, or changed it last: in whose name its runs start.</param>
/// <param name="Member">The member's name then.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record ScheduleView(
    ScheduleId Id, string Name, string? Cron, string? Rrule, string TimeZone, StartRunRequest Run, MisfirePolicy Misfire,
    OverlapPolicy Overlap, bool Enabled, DateTimeOffset? NextAt, ScheduleApproval? Approval, MemberId? DecidedBy, string? Reason,
    MemberId CreatedBy, string Member, DateTimeOffset CreatedAt)
{
    internal static readonly Resource<ScheduleKind, Schedule, ScheduleView> Rows = new(
        "schedule", "/v1/schedules",
        row => new(
            row.Id, row.Name, row.Cron, row.Rrule, row.TimeZone!, row.Run, row.Misfire, row.Overlap, row.Enabled, row.NextAt,
            row.Approval, row.DecidedBy, row.Reason, row.CreatedBy, row.Member, row.CreatedAt),
        null, ("schedule_name", Problems.ScheduleNameTaken));
}
