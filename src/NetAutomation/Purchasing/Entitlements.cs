using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Purchasing;

/// <summary>How a block was bought.</summary>
public enum PurchaseKind
{
    PayPerUse,
    Rental,
    Owned,

    /// <summary>At AWS Marketplace, which also ends it.</summary>
    Contract,
}

/// <summary>A right to run one major version of a block.</summary>
internal sealed record Right(EntitlementId Id, int Major, PurchaseKind Kind)
{
    /// <summary>Runs cost nothing: the block is rented, owned or under contract.</summary>
    public bool Included => Kind != PurchaseKind.PayPerUse;
}

/// <summary>Rights in force now. A right that includes the runs comes before pay per use.</summary>
internal static class Entitlements
{
    /// <param name="major">Null: the newest major version held.</param>
    public static async Task<Outcome<Right>> Find(NetAutomationDb db, TenantId tenant, string block, int? major, CancellationToken cancel)
    {
        var rights = await db.Query<Right>(
            $"""
            select id, major, kind from purchasing.entitlement
            where tenant_id = {tenant.Value} and block = {block} and ({major}::int is null or major = {major})
              and tstzrange(starts_at, ends_at) @> now()
            order by major desc, case kind when 'owned' then 0 when 'contract' then 1 when 'rental' then 2 else 3 end limit 1
            """,
            cancel);
        return rights is [var right] ? right : Problems.NoEntitlement.With($"Buy or rent {block} with POST /v1/purchases first.");
    }
}
