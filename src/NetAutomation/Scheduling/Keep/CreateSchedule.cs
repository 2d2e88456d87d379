using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

/// <summary>A schedule to make.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Run">As for POST /v1/runs, without quoteId and startBy.</param>
/// <param name="TimeZone">IANA time zone; where omitted, the one in which the rule's DTSTART stands.</param>
/// <param name="Cron">Five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly; or rrule.</param>
/// <param name="Rrule">An RRULE (RFC 5545), with DTSTART and EXDATE if wanted, on lines or separated by blanks; or cron.</param>
/// <param name="Misfire">What becomes of missed occurrences.</param>
/// <param name="Overlap">What becomes of an occurrence during an earlier run.</param>
/// <param name="Enabled">False: it starts nothing.</param>
public record ScheduleRequest(
    string Name, StartRunRequest Run, string? TimeZone = null, string? Cron = null, string? Rrule = null,
    MisfirePolicy Misfire = MisfirePolicy.Skip, OverlapPolicy Overlap = OverlapPolicy.Skip, bool Enabled = true);

internal static class CreateSchedule
{
    /// <summary>Adds a schedule. What could not run now is refused.</summary>
    public static async Task<Results<Created<ScheduleView>, Problem>> Handle(
        ScheduleRequest body, [AsParameters] ResourceCall call, RunLauncher launcher, Evaluations evaluations, TimeProvider clock)
    {
        if (Recurrence.Zone(body.TimeZone, body.Rrule).Refused(out var refused, out var zone))
        {
            return refused;
        }

        body = body with { TimeZone = zone };
        var anchor = Recurrence.Anchor(zone, clock.GetUtcNow()) ?? default;
        if (Times(body, anchor, clock, evaluations.BeginRule(call.Cancel)).Refused(out refused, out var times))
        {
            return refused;
        }

        if ((await Startable(body.Run, call.Caller, launcher, call.Cancel)).Refused(out refused, out var startable))
        {
            return refused;
        }

        var caller = call.Caller;
        var schedule = new Schedule(
            caller.Tenant, ScheduleId.New(), caller.MemberId, caller.Member, clock.GetUtcNow(), body.Name, zone, body.Run)
        {
            Cron = body.Cron, Rrule = body.Rrule, Misfire = body.Misfire, Overlap = body.Overlap, Enabled = body.Enabled, Anchor = anchor,
            Last = times.Last, NextAt = body.Enabled ? times.First : null,
            Approval = startable.Rule is not null ? ScheduleApproval.AwaitingApproval : null,
        };
        return await ScheduleView.Rows.Create(call, schedule, body, row => TellWaiting(call, row));
    }

    /// <summary>The times, or what is wrong with them or the name. The zone is known by now.</summary>
    public static Outcome<NewRecurrence> Times(ScheduleRequest body, DateTime anchor, TimeProvider clock, EvaluationBudget budget)
    {
        if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } unfit)
        {
            return unfit;
        }

        return Recurrence.Make(new RecurrenceText(body.Cron, body.Rrule, body.TimeZone!, anchor), clock.GetUtcNow(), budget);
    }

    /// <summary>Tells those who follow the feed that a schedule waits for an approval.</summary>
    public static Task TellWaiting(ResourceCall call, Schedule schedule) =>
        schedule.Approval == ScheduleApproval.AwaitingApproval
            ? call.Audit.Append(call.Caller, "schedule.awaiting_approval", $"{schedule.Id}", new { schedule.Name }, call.Cancel)
            : Task.CompletedTask;

    /// <summary>Whether the run could start now; where not, why, with pointers below <c>/run</c>.</summary>
    public static async Task<Outcome<Startable>> Startable(
        StartRunRequest run, Caller caller, RunLauncher launcher, CancellationToken cancel)
    {
        if (run.QuoteId is not null || run.PlanId is not null || run.StartBy is not null)
        {
            return Web.Problems.Refused.At(
                run.StartBy is not null ? "/run/startBy" : run.PlanId is not null ? "/run/planId" : "/run/quoteId", "not_here",
                "Not in a schedule: it fits a single run only.");
        }

        return (await launcher.Plan(caller, run, cancel)).Refused(out var problem, out var startable)
            ? new Problem(
                problem.Type, problem.Detail, problem.Errors?.Select(error => error with { Pointer = $"/run{error.Pointer}" }).ToList())
            {
                Members = problem.Members
            }
            : startable;
    }
}
