using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

/// <summary>A schedule to make.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="TimeZone">IANA time zone.</param>
/// <param name="Run">As for POST /v1/runs, without quoteId and startBy.</param>
/// <param name="Cron">Five cron fields; or rrule.</param>
/// <param name="Rrule">An RRULE (RFC 5545), a DTSTART line before it if wanted; or cron.</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts nothing.</param>
public sealed record ScheduleRequest(
    string Name, string TimeZone, StartRunRequest Run, string? Cron = null, string? Rrule = null, MisfirePolicy Misfire = MisfirePolicy.Skip,
    OverlapPolicy Overlap = OverlapPolicy.Skip, bool Enabled = true);

internal static class CreateSchedule
{
    /// <summary>Adds a schedule. What could not run now is refused.</summary>
    public static async Task<Results<Created<ScheduleView>, Problem>> Handle(
        ScheduleRequest body, NetAutomationDb db, Caller caller, RunLauncher launcher, AuditLog audit, TimeProvider clock, HttpContext http, CancellationToken cancel)
    {
        var anchor = Recurrence.Anchor(body.TimeZone, clock.GetUtcNow()) ?? default;
        if (Times(body, anchor, clock).Refused(out var refused, out var next))
        {
            return refused;
        }

        if (await Unstartable(body.Run, caller, launcher, cancel) is { } unstartable)
        {
            return unstartable;
        }

        var (id, run, misfire, overlap) = (ScheduleId.New(), JsonSerializer.Serialize(body.Run, Json.Api), Wire.Name(body.Misfire), Wire.Name(body.Overlap));
        DateTimeOffset? nextAt = body.Enabled ? next : null;
        var made = await db.Execute(
            $"""
            insert into scheduling.schedule (tenant_id, id, name, cron, rrule, anchor, time_zone, run, misfire, overlap, enabled, next_at, created_by, member)
            values ({caller.Tenant.Value}, {id.Value}, {body.Name}, {body.Cron}, {body.Rrule}, {Recurrence.Text(anchor)}::timestamp, {body.TimeZone}, {run}::jsonb,
                    {misfire}, {overlap}, {body.Enabled}, {nextAt}, {caller.Key.Value}, {caller.Member})
            on conflict on constraint schedule_name do nothing
            """,
            cancel);
        if (made == 0)
        {
            return Problems.ScheduleNameTaken.With();
        }

        await audit.Append(caller, "schedule.created", $"{id}", body, cancel);
        var row = (await ScheduleView.Read(db, caller.Tenant, id.Value, null, 1, cancel))[0];
        ETags.Show(http, row.Version);
        return TypedResults.Created($"/v1/schedules/{id}", row.View());
    }

    /// <summary>The first occurrence to come, or what is wrong with the name or the times.</summary>
    public static Outcome<DateTimeOffset> Times(ScheduleRequest body, DateTime anchor, TimeProvider clock)
    {
        if (body.Name.Length is 0 or > 128 || body.Name.Any(char.IsControl))
        {
            return Web.Problems.Refused.At("/name", "pattern", "1 to 128 characters without control characters.");
        }

        if (Recurrence.Read(new RecurrenceText(body.Cron, body.Rrule, body.TimeZone, anchor)).Refused(out var problem, out var times))
        {
            return problem;
        }

        return times.After(clock.GetUtcNow()).Select(at => (DateTimeOffset?)at).FirstOrDefault() is { } first
            ? first
            : Web.Problems.Refused.At(body.Cron is null ? "/rrule" : "/cron", "never", "It never comes.");
    }

    /// <summary>Why the run could not start now, with pointers below <c>/run</c>.</summary>
    public static async Task<Problem?> Unstartable(StartRunRequest run, Caller caller, RunLauncher launcher, CancellationToken cancel)
    {
        if (run.QuoteId is not null || run.StartBy is not null)
        {
            return Web.Problems.Refused.At(run.StartBy is null ? "/run/quoteId" : "/run/startBy", "not_here", "It would hold for one occurrence only.");
        }

        return (await launcher.Plan(caller, run, cancel)).Problem is { } problem
            ? new Problem(problem.Type, problem.Detail, problem.Errors?.Select(error => error with { Pointer = $"/run{error.Pointer}" }).ToList()) { Members = problem.Members }
            : null;
    }
}
