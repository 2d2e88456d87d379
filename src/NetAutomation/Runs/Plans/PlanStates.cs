using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Plans;

/// <summary>What runs make of plans, each in the transaction of the run.</summary>
internal sealed class PlanStates(NetAutomationDb db, AuditLog audit)
{
    /// <summary>The quote of a plan, which nothing else can apply from now on.</summary>
    /// <param name="startBy">A run of it may wait so long in the queue.</param>
    public async Task<Outcome<QuoteId>> Take(Caller caller, PlanId id, DateTimeOffset? startBy, CancellationToken cancel)
    {
        // The lock lets one of several at once go on; the others see what it has made of the plan.
        var rows = await db.Query<Row>(
            $"""
            select {PlanView.StateNow} as state, p.quote_id, p.expires_at, q.block, q.effect, q.device_ids
            from runs.plan p join runs.quote q on q.tenant_id = p.tenant_id and q.id = p.quote_id
            where p.tenant_id = {caller.Tenant.Value} and p.id = {id.Value} for update of p
            """,
            cancel);
        if (rows is not [var plan])
        {
            return Web.Problems.Refused.At("/planId", "unknown_plan", "There is no such plan.");
        }

        if (Refusal(plan.State, PlanState.Ready, PlanState.Approved) is { } refusal)
        {
            return refusal;
        }

        if (startBy > plan.ExpiresAt)
        {
            return Web.Problems.Refused.At("/startBy", "out_of_range", $"The plan can be applied until {plan.ExpiresAt:O}.");
        }

        if (plan.State == PlanState.Ready
            && await ChangePolicy.Asking(db, caller.Tenant, plan.Block, plan.Effect, plan.DeviceIds, cancel) is { } rule)
        {
            return rule.Refusal($"Another member than the author approves the plan with POST /v1/plans/{id}:approve.");
        }

        db.SendWithNext(
            $"""
            update runs.plan set state = {Wire.Name(PlanState.Used)}, version = version + 1
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """);
        await audit.Append(caller, "plan.used", $"{id}", null, cancel);
        return plan.QuoteId;
    }

    /// <summary>Null where a plan in this state is in one of those that are needed.</summary>
    public static Problem? Refusal(PlanState state, params PlanState[] needed) =>
        needed.Contains(state) ? null
        : state switch
        {
            PlanState.Used or PlanState.Drifted => Problems.PlanUsed,
            PlanState.Expired => Problems.PlanExpired,
            _ => Problems.PlanNotReady,
        } is var type ? type.With($"The plan is {Wire.Name(state)}.") : null;

    /// <summary>Its check has ended.</summary>
    /// <param name="good">So many of its devices ended well.</param>
    public async Task Checked(TenantId tenant, PlanId id, RunState ended, int good, int devices, CancellationToken cancel)
    {
        var (all, some) = (ended == RunState.Succeeded, ended == RunState.Failed && good > 0);
        var rows = await db.Query<Concluded>(
            $"""
            update runs.plan p set version = version + 1,
              state = case when {all} or (allow_failed and {some})
                then {Wire.Name(PlanState.Ready)} else {Wire.Name(PlanState.Failed)} end
            where tenant_id = {tenant.Value} and id = {id.Value} and state = {Wire.Name(PlanState.Planning)}
            returning state, created_by, (
              select runs.needs_approval(q.tenant_id, q.block, q.effect, q.device_ids)
              from runs.quote q where q.tenant_id = p.tenant_id and q.id = p.quote_id) as approval_required
            """,
            cancel);
        if (rows is [var plan])
        {
            await Tell(tenant, id, plan.State, new { plan.CreatedBy, plan.ApprovalRequired, devices, failed = devices - good }, cancel);
        }
    }

    /// <summary>It was applied, and no device was as planned.</summary>
    public async Task Drifted(TenantId tenant, PlanId id, CancellationToken cancel)
    {
        db.SendWithNext(
            $"""
            update runs.plan set state = {Wire.Name(PlanState.Drifted)}, version = version + 1
            where tenant_id = {tenant.Value} and id = {id.Value}
            """);
        await Tell(tenant, id, PlanState.Drifted, null, cancel);
    }

    private Task Tell(TenantId tenant, PlanId id, PlanState state, object? data, CancellationToken cancel) =>
        audit.Append(tenant, "worker", "worker", null, $"plan.{Wire.Name(state)}", $"{id}", data, cancel);

    private sealed record Row(
        PlanState State, QuoteId QuoteId, DateTimeOffset ExpiresAt, string Block, string Effect, Guid[] DeviceIds);

    private sealed record Concluded(PlanState State, MemberId CreatedBy, bool ApprovalRequired);
}
