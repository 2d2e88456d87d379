using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Billing.Invoices;

/// <summary>State of a month.</summary>
public enum InvoiceState
{
    Draft,
    Issued,
    Void,
}

/// <summary>A month: an invoice where the provider collects, a statement where AWS Marketplace does.</summary>
/// <param name="Id">The invoice.</param>
/// <param name="Kind">invoice or statement.</param>
/// <param name="State">The running month is a draft.</param>
/// <param name="Payable">True where the provider collects.</param>
/// <param name="PeriodStart">First day.</param>
/// <param name="PeriodEnd">First day of the next month.</param>
/// <param name="Lines">One line per price.</param>
/// <param name="Total">Sum of the lines.</param>
public sealed record InvoiceView(
    InvoiceId Id, string Kind, InvoiceState State, bool Payable, DateOnly PeriodStart, DateOnly PeriodEnd, IReadOnlyList<InvoiceLineView> Lines, Money Total);

/// <summary>The charges of one price.</summary>
/// <param name="Sku">Name of the price.</param>
/// <param name="PriceVersionId">The version charged.</param>
/// <param name="UnitPrice">Price of one.</param>
/// <param name="Quantity">How many.</param>
/// <param name="Amount">Unit price times quantity.</param>
/// <param name="Charges">How many charges the line sums.</param>
public sealed record InvoiceLineView(string Sku, PriceVersionId PriceVersionId, Money UnitPrice, long Quantity, Money Amount, long Charges);

internal static class ListInvoices
{
    /// <summary>Months, newest first.</summary>
    public static async Task<Results<Ok<Page<InvoiceView>>, Problem>> Handle(NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        var read = await page.Read<Head>(
            "invoices",
            (below, take) => db.Query<Head>(
                $"""
                select id, kind, state, lower(period) as period_start, upper(period) as period_end from billing.invoice
                where tenant_id = {caller.Tenant.Value} and ({below}::uuid is null or id < {below}) order by id desc limit {take}
                """,
                cancel),
            head => head.Id);
        if (read.Refused(out var problem, out var heads))
        {
            return problem;
        }

        var views = new List<InvoiceView>();
        foreach (var head in heads.Items)
        {
            views.Add(await View(db, caller.Tenant, head, cancel));
        }

        return TypedResults.Ok(new Page<InvoiceView>(views, heads.Next));
    }

    /// <summary>One month.</summary>
    public static async Task<Results<Ok<InvoiceView>, Problem>> GetInvoice(InvoiceId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        var heads = await db.Query<Head>(
            $"""
            select id, kind, state, lower(period) as period_start, upper(period) as period_end from billing.invoice
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """,
            cancel);
        return heads is [var head] ? TypedResults.Ok(await View(db, caller.Tenant, head, cancel)) : Platform.Problems.NotFound.With();
    }

    private static async Task<InvoiceView> View(NetAutomationDb db, TenantId tenant, Head head, CancellationToken cancel)
    {
        var lines = await db.Query<Line>(
            $"""
            select c.sku, c.price_version_id, p.unit_micros, sum(c.quantity)::bigint as quantity, sum(c.amount_micros)::bigint as amount, count(*) as charges
            from billing.charge c join billing.price_version p on p.id = c.price_version_id
              left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id
            where c.tenant_id = {tenant.Value}
              and case when {head.Kind} = 'invoice' then l.invoice_id = {head.Id}
                       else c.channel = 'marketplace' and (c.occurred_at at time zone 'UTC')::date >= {head.PeriodStart} and (c.occurred_at at time zone 'UTC')::date < {head.PeriodEnd} end
            group by c.sku, c.price_version_id, p.unit_micros order by c.sku, c.price_version_id
            """,
            cancel);
        var views = lines.Select(line => new InvoiceLineView(
            line.Sku, new PriceVersionId(line.PriceVersionId), new Money(line.UnitMicros), line.Quantity, new Money(line.Amount), line.Charges)).ToList();
        return new InvoiceView(
            new InvoiceId(head.Id), head.Kind, Wire.Value<InvoiceState>(head.State), head.Kind == "invoice", head.PeriodStart, head.PeriodEnd, views,
            views.Aggregate(Money.Zero, (sum, line) => sum + line.Amount));
    }

    private sealed record Head(Guid Id, string Kind, string State, DateOnly PeriodStart, DateOnly PeriodEnd);

    private sealed record Line(string Sku, Guid PriceVersionId, long UnitMicros, long Quantity, long Amount, long Charges);
}
