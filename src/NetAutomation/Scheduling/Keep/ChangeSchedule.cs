using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Http;
using Npgsql;

namespace NetAutomation.Scheduling.Keep;

/// <summary>What to change of a schedule; what is null stays. Of cron and rrule the one given replaces the other.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="TimeZone">IANA time zone.</param>
/// <param name="Run">The whole new run.</param>
/// <param name="Cron">Five cron fields.</param>
/// <param name="Rrule">An RRULE (RFC 5545).</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts nothing, what waits included.</param>
public sealed record ChangeScheduleRequest(
    string? Name = null, string? TimeZone = null, StartRunRequest? Run = null, string? Cron = null, string? Rrule = null, MisfirePolicy? Misfire = null,
    OverlapPolicy? Overlap = null, bool? Enabled = null);

internal static class ChangeSchedule
{
    /// <summary>Changes a schedule. Occurrences count from now on: what was missed while it was disabled stays missed.</summary>
    public static async Task<Results<Ok<ScheduleView>, Problem>> Patch(
        ScheduleId id, ChangeScheduleRequest body, NetAutomationDb db, Caller caller, RunLauncher launcher, AuditLog audit, TimeProvider clock, HttpContext http,
        CancellationToken cancel)
    {
        if (await Locked(id, db, caller, cancel) is not { } row)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, row.Version) is { } stale)
        {
            return stale;
        }

        var retimed = body.Cron is not null || body.Rrule is not null || body.TimeZone is not null;
        var wanted = new ScheduleRequest(
            body.Name ?? row.Name, body.TimeZone ?? row.TimeZone, body.Run ?? row.Request, body.Cron ?? (body.Rrule is null ? row.Cron : null),
            body.Rrule ?? (body.Cron is null ? row.Rrule : null), body.Misfire ?? Wire.Value<MisfirePolicy>(row.Misfire), body.Overlap ?? Wire.Value<OverlapPolicy>(row.Overlap),
            body.Enabled ?? row.Enabled);
        var anchor = retimed ? Recurrence.Anchor(wanted.TimeZone, clock.GetUtcNow()) ?? default : row.Anchor;
        if (CreateSchedule.Times(wanted, anchor, clock).Refused(out var refused, out var next))
        {
            return refused;
        }

        if (body.Run is not null && await CreateSchedule.Unstartable(body.Run, caller, launcher, cancel) is { } unstartable)
        {
            return unstartable;
        }

        if (await Save(id, wanted, anchor, wanted.Enabled ? next : null, db, caller, cancel) is { } taken)
        {
            return taken;
        }

        await audit.Append(caller, "schedule.changed", $"{id}", wanted, cancel);
        row = (await ScheduleView.Read(db, caller.Tenant, id.Value, null, 1, cancel))[0];
        ETags.Show(http, row.Version);
        return TypedResults.Ok(row.View());
    }

    /// <summary>Removes a schedule. The runs it started stay.</summary>
    public static async Task<Results<NoContent, Problem>> Delete(
        ScheduleId id, NetAutomationDb db, Caller caller, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await Locked(id, db, caller, cancel) is not { } row)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, row.Version) is { } stale)
        {
            return stale;
        }

        await db.Execute($"delete from scheduling.schedule where tenant_id = {caller.Tenant.Value} and id = {id.Value}", cancel);
        await audit.Append(caller, "schedule.deleted", $"{id}", new { row.Name }, cancel);
        return TypedResults.NoContent();
    }

    private static async Task<Problem?> Save(
        ScheduleId id, ScheduleRequest wanted, DateTime anchor, DateTimeOffset? next, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        var (tenant, run, misfire, overlap) = (caller.Tenant.Value, JsonSerializer.Serialize(wanted.Run, Json.Api), Wire.Name(wanted.Misfire), Wire.Name(wanted.Overlap));
        try
        {
            await db.Execute(
                $"""
                update scheduling.schedule set name = {wanted.Name}, cron = {wanted.Cron}, rrule = {wanted.Rrule}, anchor = {Recurrence.Text(anchor)}::timestamp,
                  time_zone = {wanted.TimeZone}, run = {run}::jsonb, misfire = {misfire}, overlap = {overlap}, enabled = {wanted.Enabled}, next_at = {next},
                  version = version + 1
                where tenant_id = {tenant} and id = {id.Value}
                """,
                cancel);
        }
        catch (PostgresException fault) when (fault.ConstraintName == "schedule_name")
        {
            return Problems.ScheduleNameTaken.With();
        }

        if (!wanted.Enabled)
        {
            await db.Execute(
                $"update scheduling.occurrence set state = 'skipped', code = 'disabled' where tenant_id = {tenant} and schedule_id = {id.Value} and state = 'due'", cancel);
        }

        return null;
    }

    private static async Task<ScheduleView.Row?> Locked(ScheduleId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        await db.Execute($"select 1 from scheduling.schedule where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update", cancel);
        return (await ScheduleView.Read(db, caller.Tenant, id.Value, null, 1, cancel)).FirstOrDefault();
    }
}
