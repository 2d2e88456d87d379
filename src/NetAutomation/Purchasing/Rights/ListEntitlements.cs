using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Purchasing.Rights;

/// <summary>Whether a right is in force.</summary>
public enum EntitlementState
{
    Active,
    Ended,
}

/// <summary>A right to run one major version of a block.</summary>
/// <param name="Id">The right.</param>
/// <param name="PurchaseId">The order that granted it.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Major">Major version covered.</param>
/// <param name="Kind">pay_per_use, rental, owned or contract.</param>
/// <param name="State">Whether it is in force.</param>
/// <param name="StartsAt">From when.</param>
/// <param name="EndsAt">Until when; null for good.</param>
/// <param name="AutoRenew">Whether a rental renews, in the last hour of its term: for the same term, at the price then in force.</param>
/// <param name="RenewalRefused">Why the last try to renew was refused: a problem code, such as <c>budget_exceeded</c>.</param>
public sealed record EntitlementView(
    EntitlementId Id, PurchaseId PurchaseId, string Block, int Major, PurchaseKind Kind, EntitlementState State, DateTimeOffset StartsAt,
    DateTimeOffset? EndsAt, bool AutoRenew, string? RenewalRefused)
{
    /// <summary>Shown as the ETag.</summary>
    [JsonIgnore]
    public int Version { get; init; }
}

/// <summary>A change to a right.</summary>
/// <param name="AutoRenew">False ends a rental at its term.</param>
public sealed record ChangeEntitlementRequest(bool AutoRenew);

internal static class ListEntitlements
{
    /// <summary>Rights, newest first.</summary>
    public static Task<Results<Ok<Page<EntitlementView>>, Problem>> Handle(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("entitlements", (below, take) => Read(db, caller.Tenant, null, below, take, cancel), right => right.Id.Value);

    /// <summary>One right.</summary>
    public static async Task<Results<Ok<EntitlementView>, Problem>> GetEntitlement(
        EntitlementId id, NetAutomationDb db, Caller caller, HttpContext http)
    {
        if (await Read(db, caller.Tenant, id, null, 1, http.RequestAborted) is not [var right])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, right.Version);
        return TypedResults.Ok(right);
    }

    /// <summary>Ends a rental at its term, or lets it renew again.</summary>
    public static async Task<Results<Ok<EntitlementView>, Problem>> ChangeEntitlement(
        EntitlementId id, ChangeEntitlementRequest body, NetAutomationDb db, Caller caller, AuditLog audit, HttpContext http)
    {
        var cancel = http.RequestAborted;
        await db.Execute(
            $"select 1 from purchasing.entitlement where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update", cancel);
        if (await Read(db, caller.Tenant, id, null, 1, cancel) is not [var right])
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, right.Version) is { } stale)
        {
            return stale;
        }

        if (body.AutoRenew && right.Kind != PurchaseKind.Rental)
        {
            return Web.Problems.Refused.At("/autoRenew", "auto_renew", "Only a rental renews.");
        }

        await db.Execute(
            $"""
            update purchasing.entitlement set auto_renew = {body.AutoRenew}, version = version + 1
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """,
            cancel);
        await audit.Append(caller, "entitlement.changed", id.ToString(), body, cancel);
        ETags.Show(http, right.Version + 1);
        return TypedResults.Ok(right with { AutoRenew = body.AutoRenew });
    }

    private static Task<List<EntitlementView>> Read(
        NetAutomationDb db, TenantId tenant, EntitlementId? id, Guid? below, int take, CancellationToken cancel) =>
        db.Query<EntitlementView>(
        $"""
        select id, purchase_id, block, major, kind, starts_at, ends_at, auto_renew, renewal_refused, version,
          case when tstzrange(starts_at, ends_at) @> now() then 'active' else 'ended' end as state
        from purchasing.entitlement
        where tenant_id = {tenant.Value} and ({id?.Value}::uuid is null or id = {id?.Value}) and ({below}::uuid is null or id < {below})
        order by id desc limit {take}
        """,
        cancel);
}
