using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Plans;

internal static class DecidePlan
{
    /// <summary>Approves a plan that is ready, which is another member's.</summary>
    public static Task<Results<Ok<PlanView>, Problem>> Approve(PlanId id, [AsParameters] ResourceCall call) =>
        Decide(id, call, PlanState.Approved, null, PlanState.Ready);

    /// <summary>Refuses a plan, with a reason; of its author it is withdrawn.</summary>
    public static async Task<Results<Ok<PlanView>, Problem>> Refuse(PlanId id, RefuseRequest body, [AsParameters] ResourceCall call) =>
        body.Unfit() is { } unfit
            ? unfit : await Decide(id, call, PlanState.Refused, body.Reason, PlanState.Planning, PlanState.Ready, PlanState.Approved);

    private static async Task<Results<Ok<PlanView>, Problem>> Decide(
        PlanId id, ResourceCall call, PlanState to, string? reason, params PlanState[] from)
    {
        var (db, caller) = (call.Db, call.Caller);
        var rows = await db.Query<Row>(
            $"""
            select {PlanView.StateNow} as state, {PlanView.VersionNow} as version, created_by from runs.plan p
            where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update
            """,
            call.Cancel);
        if (rows is not [var plan])
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(call.Http, plan.Version) is { } stale)
        {
            return stale;
        }

        if (to == PlanState.Approved && plan.CreatedBy == caller.MemberId)
        {
            return Problems.Own("plan", caller);
        }

        if (PlanStates.Refusal(plan.State, from) is { } refusal)
        {
            return refusal;
        }

        db.SendWithNext(
            $"""
            update runs.plan set state = {Wire.Name(to)}, version = version + 1, decided_by = {caller.MemberId.Value}, decided_at = now(),
              reason = {reason}
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """);
        await call.Audit.Append(caller, $"plan.{Wire.Name(to)}", $"{id}", new { reason }, call.Cancel);
        var view = (await PlanView.Find(db, caller.Tenant, id, call.Cancel))!;
        ETags.Show(call.Http, view.Revision);
        return TypedResults.Ok(view);
    }

    private sealed record Row(PlanState State, int Version, MemberId CreatedBy);
}
