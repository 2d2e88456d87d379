using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Scheduling.Keep;

internal static class DecideSchedule
{
    /// <summary>Approves a schedule of another member, as it was read, until it is changed.</summary>
    public static Task<Results<Ok<ScheduleView>, Problem>> Approve(ScheduleId id, [AsParameters] ResourceCall call) =>
        Decide(id, call, ScheduleApproval.Approved, null, "schedule.approved");

    /// <summary>Refuses to let a schedule start what needs an approval, with a reason; its author may do so, too.</summary>
    public static async Task<Results<Ok<ScheduleView>, Problem>> Refuse(
        ScheduleId id, RefuseRequest body, [AsParameters] ResourceCall call) =>
        body.Unfit() is { } unfit
            ? unfit : await Decide(id, call, ScheduleApproval.Refused, body.Reason, "schedule.approval_refused");

    private static Task<Results<Ok<ScheduleView>, Problem>> Decide(
        ScheduleId id, ResourceCall call, ScheduleApproval to, string? reason, string action) => ScheduleView.Rows.Change(
        call,
        id,
        schedule =>
        {
            if (to == ScheduleApproval.Approved && schedule.CreatedBy == call.Caller.MemberId)
            {
                return Task.FromResult<Outcome<Changed>>(Runs.Problems.Own("schedule", call.Caller));
            }

            (schedule.Approval, schedule.DecidedBy, schedule.Reason) = (to, call.Caller.MemberId, reason);
            return Task.FromResult<Outcome<Changed>>(new Changed(new { reason }, action));
        });
}
