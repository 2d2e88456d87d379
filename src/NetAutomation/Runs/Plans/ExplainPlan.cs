using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Explain;
using NetAutomation.Web;

namespace NetAutomation.Runs.Plans;

/// <summary>Why a plan cannot be applied.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Gates">Empty where nothing holds it, or nothing can be done any more.</param>
public sealed record PlanWhyView(PlanState State, IReadOnlyList<Gate> Gates);

internal static class ExplainPlan
{
    private const int Most = 200;

    /// <summary>What a plan waits for, and the devices that it failed or drifted on.</summary>
    public static async Task<Results<Ok<PlanWhyView>, Problem>> Handle(
        PlanId id, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await PlanView.Find(db, caller.Tenant, id, cancel) is { } plan
            ? TypedResults.Ok(new PlanWhyView(plan.State, await Gates(db, caller.Tenant, plan, cancel))) : Web.Problems.NotFound.With();

    private static async Task<IReadOnlyList<Gate>> Gates(
        NetAutomationDb db, TenantId tenant, PlanView plan, CancellationToken cancel) => plan.State switch
        {
            PlanState.Planning =>
                [new Gate("check", $"Its check has not ended; GET /v1/runs/{plan.CheckRunId}/why says why.", null, plan.CheckRunId)],
            PlanState.Ready when plan.ApprovalRequired =>
                [new Gate("approval", $"Another member than {plan.Member} approves it with POST /v1/plans/{plan.Id}:approve", null, null)],
            PlanState.Failed => await Bad(db, tenant, plan.CheckRunId, "check_failed", cancel),
            PlanState.Drifted => await Bad(db, tenant, plan.RunId!.Value, "drift", cancel),
            _ => [],
        };

    private static async Task<IReadOnlyList<Gate>> Bad(
        NetAutomationDb db, TenantId tenant, RunId run, string code, CancellationToken cancel) =>
        [
            .. (await db.Query<Row>(
                $"""
                select device_id, name, coalesce(code, outcome) as why from runs.run_device
                where tenant_id = {tenant.Value} and run_id = {run.Value} and outcome not in ('ok', 'changed')
                order by position limit {Most}
                """,
                cancel)).Select(row => new Gate(code, $"{row.Name}: {row.Why}", row.DeviceId, run)),
        ];

    private sealed record Row(DeviceId DeviceId, string Name, string Why);
}
