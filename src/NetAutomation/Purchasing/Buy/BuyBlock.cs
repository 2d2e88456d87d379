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
            return Web.Problems.Refused.At("/months", "months", "A rental needs months, 1 to 36; other kinds have none.");
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
        var order = new Order(
            body.Block, version.Major, body.Kind, body.Months, price, offer?.Id, caller.MemberId, now,
            body.Months is { } months ? now.AddMonths(months) : null, body.AutoRenew);
        await order.Write(db, caller.Tenant, cancel);
        var refused = offer is not { } charged ? null : await ledger.ChargePurchase(
            caller.Tenant, order.Id, $"{body.Block}/{part}", $"{body.Block}: {part}", charged.Id, quantity, price, cancel);
        if (refused is not null)
        {
            return refused;
        }

        var view = new PurchaseView(order.Id, order.Block, order.Major, order.Kind, order.Months, price, order.EntitlementId, now);
        await audit.Append(caller, "purchase.created", view.Id.ToString(), view, cancel);
        return TypedResults.Created($"/v1/purchases/{view.Id}", view);
    }

    /// <summary>One order or renewal of a block at a time.</summary>
    public static Task Lock(NetAutomationDb db, TenantId tenant, string block, CancellationToken cancel) =>
        db.Execute($"select pg_advisory_xact_lock(hashtextextended({$"buy/{tenant}/{block}"}, 0))", cancel);

    private static async Task<bool> Held(NetAutomationDb db, TenantId tenant, BuyBlockRequest body, int major, CancellationToken cancel)
    {
        await Lock(db, tenant, body.Block, cancel);
        return await db.Scalar<bool>(
            $"""
            select exists (
              select from purchasing.entitlement
              where tenant_id = {tenant.Value} and block = {body.Block} and major = {major} and kind = {Wire.Name(body.Kind)}
                and tstzrange(starts_at, ends_at) && tstzrange(now(), null))
            """,
            cancel);
    }
}
