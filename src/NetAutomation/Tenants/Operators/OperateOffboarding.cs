using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Operators;

/// <summary>How far a tenant's leaving has come.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="BegunAt">When it began; null where it has not.</param>
/// <param name="BegunBy">The operator, or service at the end of the time to read.</param>
/// <param name="Reason">Why.</param>
/// <param name="DoneAt">When nothing was left.</param>
/// <param name="Steps">In their order.</param>
public sealed record OffboardingView(
    TenantId TenantId, DateTimeOffset? BegunAt, string? BegunBy, string? Reason, DateTimeOffset? DoneAt,
    IReadOnlyList<OffboardingStepView> Steps);

/// <summary>A step of a tenant's leaving.</summary>
/// <param name="Step">
/// registrations, api_keys, schedules, runs, artifacts, configs, connectors, secrets, connections, principals or accounts.
/// </param>
/// <param name="DoneAt">When it was done; null while it is not.</param>
/// <param name="Count">How many there were.</param>
public sealed record OffboardingStepView(string Step, DateTimeOffset? DoneAt, int? Count);

/// <summary>Offboards a tenant whose agreements have ended, without waiting for the end of its time to read.</summary>
/// <param name="Reason">Why; it stands in the tenant's audit.</param>
public sealed record OffboardTenantRequest(string Reason);

internal static class OperateOffboarding
{
    public static async Task<Results<Accepted<OffboardingView>, Problem>> Start(
        TenantId id, OffboardTenantRequest request, SystemDb db, OperatorCaller caller, Offboard offboard, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } refused)
        {
            return refused;
        }

        if (await View(db, id, cancel) is null)
        {
            return Web.Problems.NotFound.With();
        }

        if (!await offboard.Begin(id, caller.Principal, caller.Name, request.Reason, cancel))
        {
            return Web.Problems.Conflict.With("An agreement of the tenant is in force: it ends at AWS Marketplace first.");
        }

        return TypedResults.Accepted($"/operator/v1/tenants/{id}/offboarding", await View(db, id, cancel));
    }

    public static async Task<Results<Ok<OffboardingView>, Problem>> Get(TenantId id, SystemDb db, CancellationToken cancel) =>
        await View(db, id, cancel) is { } view ? TypedResults.Ok(view) : Web.Problems.NotFound.With();

    private static async Task<OffboardingView?> View(SystemDb db, TenantId id, CancellationToken cancel)
    {
        var heads = await db.Query<Head>(
            $"select offboarding_at, offboarding_by, offboarding_reason, offboarded_at from onboarding.tenant where tenant_id = {id.Value}",
            cancel);
        if (heads is not [var head])
        {
            return null;
        }

        var done =
            await db.Query<OffboardingStepView>(
                $"select step, done_at, count from onboarding.offboarding_step where tenant_id = {id.Value}", cancel);
        return new OffboardingView(
            id, head.OffboardingAt, head.OffboardingBy, head.OffboardingReason, head.OffboardedAt,
            [.. Offboard.Steps.Select(step => done.Find(each => each.Step == step) ?? new OffboardingStepView(step, null, null))]);
    }

    private sealed record Head(
        DateTimeOffset? OffboardingAt, string? OffboardingBy, string? OffboardingReason, DateTimeOffset? OffboardedAt);
}
