using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Catalog;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs.Start;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Plans;

/// <summary>What to plan: a run in apply mode.</summary>
public sealed record MakePlanRequest : StartRunRequest
{
    /// <summary>The plan may be applied without devices that fail the check.</summary>
    public bool AllowFailed { get; init; }
}

internal static class MakePlan
{
    private static readonly TimeSpan _kept = TimeSpan.FromDays(7);

    /// <summary>Plans a change: pins what a run of it would do and cost, and queues the check of it on the same devices.</summary>
    public static async Task<Results<Accepted<PlanView>, Problem>> Handle(
        MakePlanRequest body, NetAutomationDb db, Caller caller, Planner planner, RunLauncher launcher, EngineVersion engine,
        AuditLog audit, TimeProvider clock, HttpContext http, CancellationToken cancel)
    {
        if (QuoteRun.Second(body, clock, "Not in a plan: give it with the run that applies it.") is { } second)
        {
            return second;
        }

        if (body.Mode == RunMode.Check)
        {
            return Web.Problems.Refused.At("/mode", "not_here", "A plan is made of what is applied; it is checked by itself.");
        }

        if ((await planner.Plan(body, caller, cancel)).Refused(out var problem, out var plan))
        {
            return problem;
        }

        if (plan.Block.Effect == Effect.Read)
        {
            return Problems.ModeNotSupported.At(
                "/block", "mode_not_supported", "A read block changes nothing, so there is nothing to plan.");
        }

        if (QuoteRun.AboveMax(plan, body.MaxPrice) is { } above)
        {
            return above;
        }

        var id = PlanId.New();
        var quote = QuoteRun.Store(db, caller, body, plan, engine, open: false, _kept);
        db.SendWithNext(
            $"""
            insert into runs.plan (tenant_id, id, quote_id, allow_failed, created_by, expires_at)
            values ({caller.Tenant.Value}, {id.Value}, {quote.Value}, {body.AllowFailed}, {caller.MemberId.Value}, now() + {_kept})
            """);
        // Every device is checked, for nothing, and nothing can go back.
        StartRunRequest check = body with
        {
            Version = plan.Block.Version,
            Mode = RunMode.Check,
            Targets = new Targets(DeviceIds: [.. plan.Devices.Select(device => device.DeviceId)]),
            MaxPrice = null,
            TimeoutSeconds = plan.TimeoutSeconds,
            Rollout = body.Rollout is null ? null : body.Rollout with { MaxFailures = null },
            Guard = null,
        };
        if ((await launcher.Start(caller, check, new RunOrigin(CheckOf: id, Guard: plan.Guard), cancel)).Refused(out problem, out _))
        {
            return problem;
        }

        await audit.Append(
            caller, "plan.created", $"{id}", new { plan.Block.Slug, plan.Block.Version, devices = plan.Devices.Count }, cancel);
        var view = (await PlanView.Find(db, caller.Tenant, id, cancel))!;
        ETags.Show(http, view.Revision);
        return TypedResults.Accepted($"/v1/plans/{id}", view);
    }
}
