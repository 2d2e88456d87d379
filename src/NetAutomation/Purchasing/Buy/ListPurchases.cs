using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Buy;

internal static class ListPurchases
{
    /// <summary>Orders, newest first.</summary>
    public static async Task<Results<Ok<Page<PurchaseView>>, Problem>> Handle(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        var read =
            await page.Read<PurchaseView>(
                "purchases", (below, take) => Read(db, caller.Tenant, null, below, take, cancel), view => view.Id.Value);
        return read.Refused(out var problem, out var value) ? problem : TypedResults.Ok(value);
    }

    /// <summary>One order.</summary>
    public static async Task<Results<Ok<PurchaseView>, Problem>> GetPurchase(
        PurchaseId id, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await Read(db, caller.Tenant, id.Value, null, 1, cancel) is [var view] ? TypedResults.Ok(view) : Web.Problems.NotFound.With();

    private static async Task<List<PurchaseView>> Read(
        NetAutomationDb db, TenantId tenant, Guid? id, Guid? below, int take, CancellationToken cancel) =>
        [.. (await db.Query<Row>(
            $"""
            select p.id, p.block, p.major, p.kind, p.months, p.price_micros, e.id as entitlement_id, p.created_at
            from purchasing.purchase p join purchasing.entitlement e on e.tenant_id = p.tenant_id and e.purchase_id = p.id
            where p.tenant_id = {tenant.Value} and ({id}::uuid is null or p.id = {id}) and ({below}::uuid is null or p.id < {below})
            order by p.id desc limit {take}
            """,
            cancel)).Select(row => new PurchaseView(
                new PurchaseId(row.Id), row.Block, row.Major, Wire.Value<PurchaseKind>(row.Kind), row.Months, new Money(row.PriceMicros),
                new EntitlementId(row.EntitlementId), row.CreatedAt))];

    private sealed record Row(
        Guid Id, string Block, int Major, string Kind, int? Months, long PriceMicros, Guid EntitlementId, DateTimeOffset CreatedAt);
}
