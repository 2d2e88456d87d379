using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

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
    public static async Task<Results<Ok<Page<ScheduleView>>, Problem>> List(NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        var read = await page.Read<ScheduleView>(
            "schedules", async (below, take) => [.. (await ScheduleView.Read(db, caller.Tenant, null, below, take, cancel)).Select(row => row.View())], view => view.Id.Value);
        return read.Refused(out var problem, out var found) ? problem : TypedResults.Ok(found);
    }

    /// <summary>One schedule.</summary>
    public static async Task<Results<Ok<ScheduleView>, Problem>> Show(ScheduleId id, NetAutomationDb db, Caller caller, HttpContext http, CancellationToken cancel)
    {
        if (await ScheduleView.Read(db, caller.Tenant, id.Value, null, 1, cancel) is not [var row])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, row.Version);
        return TypedResults.Ok(row.View());
    }

    /// <summary>The last occurrences of a schedule, up to a hundred, newest first.</summary>
    public static async Task<Results<Ok<Page<OccurrenceView>>, Problem>> Occurrences(ScheduleId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        if (await ScheduleView.Read(db, caller.Tenant, id.Value, null, 1, cancel) is [])
        {
            return Web.Problems.NotFound.With();
        }

        var rows = await db.Query<Row>(
            $"""
            select at, state, code, detail, eligible_at, run_id from scheduling.occurrence where tenant_id = {caller.Tenant.Value} and schedule_id = {id.Value}
            order by at desc limit {Shown}
            """,
            cancel);
        return TypedResults.Ok(new Page<OccurrenceView>(
            [.. rows.Select(row => new OccurrenceView(
                row.At, row.State, row.Code is null ? null : new Blocked(row.Code, row.Detail, row.EligibleAt), row.RunId is { } run ? new RunId(run) : null))], null));
    }

    private sealed record Row(DateTimeOffset At, string State, string? Code, string? Detail, DateTimeOffset? EligibleAt, Guid? RunId);
}
