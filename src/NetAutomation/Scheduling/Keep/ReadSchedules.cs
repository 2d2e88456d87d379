using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Scheduling.Keep;

/// <summary>What became of an occurrence.</summary>
/// <param name="At">The instant it was due.</param>
/// <param name="State">due, started, skipped or refused. A run that is started may still wait: its /why says for what.</param>
/// <param name="Blocked">Why no run started, or what its run had to wait for at first. Null where it could start at once.</param>
/// <param name="RunId">The run it started.</param>
public sealed record OccurrenceView(DateTimeOffset At, string State, Blocked? Blocked, RunId? RunId);

internal static class ReadSchedules
{
    private const int Shown = 100;

    /// <summary>The tenant's schedules, newest first.</summary>
    public static Task<Results<Ok<Page<ScheduleView>>, Problem>> List(
        [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel) =>
        ScheduleView.Rows.List(page, db, cancel);

    /// <summary>One schedule.</summary>
    public static Task<Results<Ok<ScheduleView>, Problem>> Show(
        ScheduleId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        ScheduleView.Rows.Show(id, db, http, cancel);

    /// <summary>The last occurrences of a schedule, up to a hundred, newest first.</summary>
    public static async Task<Results<Ok<Page<OccurrenceView>>, Problem>> Occurrences(
        ScheduleId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        if (!await db.Set<Schedule>().AnyAsync(schedule => schedule.Id == id, cancel))
        {
            return Web.Problems.NotFound.With();
        }

        var rows = await db.Query<Row>(
            $"""
            select at, state, code, detail, eligible_at, run_id from scheduling.occurrence
            where tenant_id = {caller.Tenant.Value} and schedule_id = {id.Value} order by at desc limit {Shown}
            """,
            cancel);
        return TypedResults.Ok(new Page<OccurrenceView>(
            [.. rows.Select(row => new OccurrenceView(
                row.At, row.State, row.Code is null ? null : new Blocked(row.Code, row.Detail, row.EligibleAt), row.RunId))],
            null));
    }

    private sealed record Row(DateTimeOffset At, string State, string? Code, string? Detail, DateTimeOffset? EligibleAt, RunId? RunId);
}
