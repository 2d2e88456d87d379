using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Operators;

/// <summary>What a tenant was charged, with what a reversal needs to name it.</summary>
/// <param name="Id">The charge.</param>
/// <param name="TenantId">The tenant.</param>
/// <param name="Sku">Name of the price.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Quantity">How many.</param>
/// <param name="Amount">How much.</param>
/// <param name="Channel">Who collects it.</param>
/// <param name="RunId">The run.</param>
/// <param name="PurchaseId">The order.</param>
/// <param name="AdjustmentId">The correction that made it.</param>
/// <param name="ReversedBy">The correction that took it back.</param>
/// <param name="Invoice">Number of the issued invoice it stands on.</param>
/// <param name="OccurredAt">When it was charged.</param>
public sealed record ChargeView(
    ChargeId Id, TenantId TenantId, string Sku, string Description, long Quantity, Money Amount, BillingChannel Channel, RunId? RunId,
    PurchaseId? PurchaseId, AdjustmentId? AdjustmentId, AdjustmentId? ReversedBy, string? Invoice, DateTimeOffset OccurredAt);

internal static class ListAdjustments
{
    public static Task<Results<Ok<Page<AdjustmentView>>, Problem>> Handle(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel,
        [Description("Only of this tenant.")] TenantId? tenantId = null) =>
        page.Answer(
            $"adjustments?{tenantId}", (below, take) => Find(db, cancel, tenantId, below: below, take: take), view => view.Id.Value);

    /// <summary>What a tenant was charged, newest first.</summary>
    public static Task<Results<Ok<Page<ChargeView>>, Problem>> Charges(
        SystemDb db,
        TenantId tenantId,
        [AsParameters] PageQuery page,
        CancellationToken cancel,
        [Description("Only of this run.")] RunId? runId = null,
        [Description("Only of this order.")] PurchaseId? purchaseId = null) =>
        page.Answer(
            $"charges?{tenantId}&{runId}&{purchaseId}",
            (below, take) => db.Query<ChargeView>(
                $"""
                select c.id, c.tenant_id, c.sku, c.description, c.quantity, c.amount_micros as amount, c.channel, s.run_id,
                  c.purchase_id, c.adjustment_id, a.id as reversed_by, i.number as invoice, c.occurred_at
                from billing.charge c
                  left join billing.settlement s on s.tenant_id = c.tenant_id and s.reservation_id = c.reservation_id
                  left join billing.adjustment a on a.tenant_id = c.tenant_id and a.reverses = c.id
                  left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
                  left join billing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id
                where c.tenant_id = {tenantId.Value} and ({below}::uuid is null or c.id < {below})
                  and ({runId?.Value}::uuid is null or s.run_id = {runId?.Value})
                  and ({purchaseId?.Value}::uuid is null or c.purchase_id = {purchaseId?.Value})
                order by c.id desc limit {take}
                """,
                cancel),
            view => view.Id.Value);

    internal static Task<List<AdjustmentView>> Find(
        SystemDb db, CancellationToken cancel, TenantId? tenant = null, AdjustmentId? id = null, string? document = null,
        Guid? below = null, int take = 1) => db.Query<AdjustmentView>(
        $"""
        select a.id, a.tenant_id, a.kind, a.document, a.reason, a.amount_micros as amount, a.channel, a.reverses, a.charge_id,
          a.credit_note_number as credit_note, i.number as credits, a.approved_by, a.created_at
        from billing.adjustment a left join billing.invoice i on i.tenant_id = a.tenant_id and i.id = a.credits
        where ({tenant?.Value}::uuid is null or a.tenant_id = {tenant?.Value}) and ({id?.Value}::uuid is null or a.id = {id?.Value})
          and ({document}::text is null or a.document = {document}) and ({below}::uuid is null or a.id < {below})
        order by a.id desc limit {take}
        """,
        cancel);
}
