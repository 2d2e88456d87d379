using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

/// <summary>What to change of a schedule; what is null stays. Of cron and rrule the one given replaces the other.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="TimeZone">IANA time zone.</param>
/// <param name="Run">The whole new run.</param>
/// <param name="Cron">Five cron fields, or a name for them.</param>
/// <param name="Rrule">An RRULE (RFC 5545), with DTSTART and EXDATE if wanted.</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts no run, not even for occurrences that wait.</param>
public sealed record ChangeScheduleRequest(
    string? Name = null, string? TimeZone = null, StartRunRequest? Run = null, string? Cron = null, string? Rrule = null,
    MisfirePolicy? Misfire = null, OverlapPolicy? Overlap = null, bool? Enabled = null);

internal static class ChangeSchedule
{
    /// <summary>
    /// Changes a schedule, which then needs a new approval where it needed one. Its runs start in the name of the caller from now
    /// on. Occurrences count from now on: what was missed while it was disabled stays missed.
    /// </summary>
    public static Task<Results<Ok<ScheduleView>, Problem>> Patch(
        ScheduleId id, ChangeScheduleRequest body, [AsParameters] ResourceCall call, RunLauncher launcher, Evaluations evaluations,
        TimeProvider clock) =>
            ScheduleView.Rows.Change(
        call,
        id,
        async schedule =>
        {
            var retimed = body.Cron is not null || body.Rrule is not null || body.TimeZone is not null;
            var wanted = new ScheduleRequest(
                body.Name ?? schedule.Name, body.Run ?? schedule.Run, body.TimeZone ?? schedule.TimeZone,
                body.Cron ?? (body.Rrule is null ? schedule.Cron : null), body.Rrule ?? (body.Cron is null ? schedule.Rrule : null),
                body.Misfire ?? schedule.Misfire, body.Overlap ?? schedule.Overlap, body.Enabled ?? schedule.Enabled);
            var anchor = retimed ? Recurrence.Anchor(wanted.TimeZone!, clock.GetUtcNow()) ?? default : schedule.Anchor;
            var budget = evaluations.BeginRule(call.Cancel);
            if (CreateSchedule.Times(wanted, anchor, clock, budget).Refused(out var refused, out var times))
            {
                return refused;
            }

            var needed = schedule.Approval is not null;
            if (body.Run is not null)
            {
                if ((await CreateSchedule.Startable(body.Run, call.Caller, launcher, call.Cancel)).Refused(out refused, out var startable))
                {
                    return refused;
                }

                needed = startable.Rule is not null;
            }

            var row = call.Db.Entry(schedule);
            row.CurrentValues.SetValues(wanted);
            row.Property(each => each.CreatedBy).CurrentValue = call.Caller.MemberId;
            row.Property(each => each.Member).CurrentValue = call.Caller.Member;
            (schedule.Anchor, schedule.Last, schedule.NextAt) = (anchor, times.Last, wanted.Enabled ? times.First : null);
            if (call.Db.ChangeTracker.HasChanges())
            {
                (schedule.Approval, schedule.DecidedBy, schedule.Reason) =
                    (needed ? ScheduleApproval.AwaitingApproval : null, null, null);
            }

            return new Changed(wanted);
        },
        async schedule =>
        {
            if (!schedule.Enabled)
            {
                await call.Db.Execute(
                    $"""
                    update scheduling.occurrence set state = 'skipped', code = 'disabled'
                    where tenant_id = {schedule.TenantId.Value} and schedule_id = {id.Value} and state = 'due'
                    """,
                    call.Cancel);
            }

            await CreateSchedule.TellWaiting(call, schedule);
        });

    /// <summary>Removes a schedule. The runs it started stay.</summary>
    public static Task<Results<NoContent, Problem>> Delete(ScheduleId id, [AsParameters] ResourceCall call) =>
        ScheduleView.Rows.Delete(call, id);
}
