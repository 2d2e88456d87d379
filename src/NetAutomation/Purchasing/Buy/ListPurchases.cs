using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Buy;

internal static class ListPurchases
{
    /// <summary>Orders, newest first.</summary>
    public static Task<Results<Ok<Page<PurchaseView>>, Problem>> Handle(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("purchases", (below, take) => Read(db, caller.Tenant, null, below, take, cancel), view => view.Id.Value);

    /// <summary>One order.</summary>
    public static async Task<Results<Ok<PurchaseView>, Problem>> GetPurchase(
        PurchaseId id, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await Read(db, caller.Tenant, id.Value, null, 1, cancel) is [var view] ? TypedResults.Ok(view) : Web.Problems.NotFound.With();

    private static Task<List<PurchaseView>> Read(
        NetAutomationDb db, TenantId tenant, Guid? id, Guid? below, int take, CancellationToken cancel) => db.Query<PurchaseView>(
        $"""
        select p.id, p.block, p.major, p.kind, p.months, p.price_micros as price, e.id as entitlement_id, p.created_at
        from purchasing.purchase p join purchasing.entitlement e on e.tenant_id = p.tenant_id and e.purchase_id = p.id
        where p.tenant_id = {tenant.Value} and ({id}::uuid is null or p.id = {id}) and ({below}::uuid is null or p.id < {below})
        order by p.id desc limit {take}
        """,
        cancel);
}
