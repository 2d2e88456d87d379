using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Buy;

/// <summary>An order and the right it grants, as both are written.</summary>
/// <param name="CreatedBy">The member that ordered; empty for a contract, which AWS Marketplace made.</param>
/// <param name="EndsAt">Null for good.</param>
/// <param name="AnchorAt">From where the terms of a renewed rental are counted; null: from its start.</param>
/// <param name="RenewalOf">The right of which this is the next term.</param>
internal sealed record Order(
    string Block, int Major, PurchaseKind Kind, int? Months, Money Price, PriceVersionId? PriceVersionId, MemberId CreatedBy,
    DateTimeOffset StartsAt, DateTimeOffset? EndsAt, bool AutoRenew = false, DateTimeOffset? AnchorAt = null,
    EntitlementId? RenewalOf = null)
{
    public PurchaseId Id { get; } = PurchaseId.New();

    public EntitlementId EntitlementId { get; } = EntitlementId.New();

    public Task Write(NetAutomationDb db, TenantId tenant, CancellationToken cancel) => db.Execute(
        $"""
        with purchase as (
          insert into purchasing.purchase (
            tenant_id, id, block, major, kind, months, price_micros, currency, price_version_id, created_by, renewal_of)
          values ({tenant.Value}, {Id.Value}, {Block}, {Major}, {Wire.Name(Kind)}, {Months}, {Price.Micros}, {Money.Currency},
            {PriceVersionId?.Value}, {CreatedBy.Value}, {RenewalOf?.Value})
          returning *)
        insert into purchasing.entitlement (
          tenant_id, id, purchase_id, block, major, kind, starts_at, ends_at, auto_renew, anchor_at)
        select tenant_id, {EntitlementId.Value}, id, block, major, kind, {StartsAt}::timestamptz, {EndsAt}::timestamptz, {AutoRenew},
          {AnchorAt}::timestamptz
        from purchase
        """,
        cancel);
}
