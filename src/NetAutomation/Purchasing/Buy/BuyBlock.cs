using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing;
using NetAutomation.Catalog;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Buy;

/// <summary>An order for a block.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Kind">pay_per_use, rental or owned.</param>
/// <param name="Major">Major version; the newest where omitted.</param>
/// <param name="Months">Length of a rental, 1 to 36.</param>
/// <param name="AutoRenew">Whether a rental renews at its end.</param>
/// <param name="MaxPrice">The order is refused with 402 above this.</param>
public sealed record BuyBlockRequest(
    string Block, PurchaseKind Kind, int? Major = null, int? Months = null, bool AutoRenew = false, Money? MaxPrice = null);

/// <summary>An order, and the right it grants.</summary>
/// <param name="Id">The order.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Major">Major version covered.</param>
/// <param name="Kind">pay_per_use, rental or owned.</param>
/// <param name="Months">Length of a rental.</param>
/// <param name="Price">What was charged at once.</param>
/// <param name="EntitlementId">The right.</param>
/// <param name="CreatedAt">When it was ordered.</param>
public sealed record PurchaseView(
    PurchaseId Id, string Block, int Major, PurchaseKind Kind, int? Months, Money Price, EntitlementId EntitlementId,
    DateTimeOffset CreatedAt);

internal static class BuyBlock
{
    /// <summary>Buys or rents a block.</summary>
    public static async Task<Results<Created<PurchaseView>, Problem>> Handle(
        BuyBlockRequest body, NetAutomationDb db, Caller caller, UsageLedger ledger, BlockCatalog catalog, AuditLog audit,
        CancellationToken cancel)
    {
        if (body.Kind == PurchaseKind.Contract)
        {
            return Web.Problems.Refused.At("/kind", "kind", "Contracts are bought in AWS Marketplace.");
        }

        if ((body.Kind == PurchaseKind.Rental) != body.Months is not null || body.Months is < 1 or > 36)
        {
            return Web.Problems.Refused.At("/months", "months", "A rental takes 1 to 36 months; nothing else takes any.");
        }

        if (body.AutoRenew && body.Kind != PurchaseKind.Rental)
        {
            return Web.Problems.Refused.At("/autoRenew", "auto_renew", "Only a rental renews.");
        }

        if ((await catalog.Find(db, body.Block, body.Major?.ToString(), null, cancel)).Refused(out var unknown, out var version))
        {
            return unknown;
        }

        if (await Held(db, caller.Tenant, body, version.Major, cancel))
        {
            return Problems.AlreadyEntitled.With();
        }

        var quantity = body.Months ?? 1;
        var part = body.Kind switch { PurchaseKind.Rental => "rental/month", PurchaseKind.Owned => "owned/once", _ => null };
        var offer = part is null ? null : await PriceList.Offer(db, body.Block, part, cancel);
        if (part is not null && offer is null)
        {
            return Problems.NotOffered.With();
        }

        var price = (offer?.Unit ?? Money.Zero) * quantity;
        if (body.MaxPrice is { } max && price > max)
        {
            return new Problem(Billing.Problems.PriceAboveMax)
            {
                Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["price"] = price, ["maxPrice"] = max },
            };
        }

        var now = await db.Scalar<DateTimeOffset>($"select now()", cancel);
        var view = new PurchaseView(PurchaseId.New(), body.Block, version.Major, body.Kind, body.Months, price, EntitlementId.New(), now);
        await Write(db, caller, view, body, offer?.Id, cancel);
        if (offer is { } charged
            && await ledger.ChargePurchase(
                caller.Tenant, view.Id, $"{body.Block}/{part}", $"{body.Block}: {part}", charged.Id, quantity, price, cancel) is
            {
            } refused)
        {
            return refused;
        }

        await audit.Append(caller, "purchase.created", view.Id.ToString(), view, cancel);
        return TypedResults.Created($"/v1/purchases/{view.Id}", view);
    }

    /// <summary>One order or renewal of a block at a time.</summary>
    public static Task Lock(NetAutomationDb db, TenantId tenant, string block, CancellationToken cancel) =>
        db.Execute($"select pg_advisory_xact_lock(hashtextextended({$"buy/{tenant}/{block}"}, 0))", cancel);

    private static async Task<bool> Held(NetAutomationDb db, TenantId tenant, BuyBlockRequest body, int major, CancellationToken cancel)
    {
        var kind = Wire.Name(body.Kind);
        await Lock(db, tenant, body.Block, cancel);
        return await db.Scalar<bool>(
            $"""
            select exists (select from purchasing.entitlement where tenant_id = {tenant.Value} and block = {body.Block} and major = {major} and kind = {kind}
                           and tstzrange(starts_at, ends_at) && tstzrange(now(), null)) as "Value"
            """,
            cancel);
    }

    private static async Task Write(
        NetAutomationDb db, Caller caller, PurchaseView view, BuyBlockRequest body, PriceVersionId? price, CancellationToken cancel)
    {
        var kind = Wire.Name(view.Kind);
        var ends = view.Months is { } months ? view.CreatedAt.AddMonths(months) : (DateTimeOffset?)null;
        await db.Execute(
            $"""
            insert into purchasing.purchase (tenant_id, id, block, major, kind, months, price_micros, currency, price_version_id, created_by, created_at)
            values ({caller.Tenant.Value}, {view.Id.Value}, {view.Block}, {view.Major}, {kind}, {view.Months}, {view.Price.Micros}, {Money.Currency},
                    {price?.Value}, {caller.Key.Value}, {view.CreatedAt})
            """,
            cancel);
        await db.Execute(
            $"""
            insert into purchasing.entitlement (tenant_id, id, purchase_id, block, major, kind, starts_at, ends_at, auto_renew)
            values ({caller.Tenant.Value}, {view.EntitlementId.Value}, {view.Id.Value}, {view.Block}, {view.Major}, {kind}, {view.CreatedAt}, {ends}, {body.AutoRenew})
            """,
            cancel);
    }
}
