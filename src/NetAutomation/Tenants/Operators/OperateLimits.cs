using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Reading;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Operators;

/// <summary>Another limit for one tenant.</summary>
/// <param name="Max">The most there may be; the default where it is null. What there is above it stays.</param>
/// <param name="Reason">Why; it stands in the tenant's audit.</param>
public sealed record SetLimitRequest(long? Max, string Reason);

internal static class OperateLimits
{
    public static async Task<Results<Ok<LimitsView>, Problem>> List(
        TenantId id, SystemDb db, TimeProvider clock, CancellationToken cancel) =>
        await db.Scalar<bool>($"select exists (select from onboarding.tenant where tenant_id = {id.Value})", cancel)
            ? TypedResults.Ok(new LimitsView([.. await ShowLimits.Counts(db, id, clock, cancel)])) : Web.Problems.NotFound.With();

    public static async Task<Results<Ok<LimitsView>, Problem>> Put(
        TenantId id, string limit, SetLimitRequest request, SystemDb db, OperatorCaller caller, TimeProvider clock,
        CancellationToken cancel)
    {
        if (request.Max < 0)
        {
            return Web.Problems.Refused.At("/max", "out_of_range", "A limit is not negative.");
        }

        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } refused)
        {
            return refused;
        }

        if ((await List(id, db, clock, cancel)).Result is not Ok<LimitsView> { Value.Items: var before }
            || before.FirstOrDefault(each => each.Limit == limit) is not { } old)
        {
            return Web.Problems.NotFound.With();
        }

        await db.Execute(
            $"""
            insert into web.tenant_limit (tenant_id, name, max) values ({id.Value}, {limit}, {request.Max})
            on conflict (tenant_id, name) do update set max = excluded.max
            """,
            cancel);
        await new AuditLog(db).Append(
            caller, id, "limit.changed", limit, new { request.Max, before = old.Max, request.Reason }, cancel);
        return await List(id, db, clock, cancel);
    }
}
