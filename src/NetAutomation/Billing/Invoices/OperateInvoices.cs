using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>A tenant's invoice or statement.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Invoice">As the tenant sees it.</param>
public sealed record TenantInvoiceView(TenantId TenantId, InvoiceView Invoice);

/// <summary>A month that was closed.</summary>
/// <param name="Period">The month.</param>
/// <param name="Issued">What was issued by this call.</param>
public sealed record ClosedPeriodView(string Period, IReadOnlyList<InvoiceId> Issued);

/// <summary>Voids an invoice.</summary>
/// <param name="Reason">Why; it stands on the void invoice.</param>
public sealed record VoidInvoiceRequest(string Reason);

/// <summary>Records money that came in.</summary>
/// <param name="Amount">How much; not above what is owed.</param>
/// <param name="Reference">The bank's; the same reference again is the same payment.</param>
public sealed record RecordPaymentRequest(Money Amount, string Reference);

internal static class OperateInvoices
{
    public static async Task<Results<Ok<Page<TenantInvoiceView>>, Problem>> List(
        SystemDb db,
        [AsParameters] PageQuery page,
        IOptions<BillingOptions> options,
        CancellationToken cancel,
        [Description("Only of this tenant.")] TenantId? tenantId = null,
        [Description("draft, issued or void.")] string? state = null,
        [Description("Only this month, yyyy-mm.")] string? month = null)
    {
        if (month is not null && Month(month) is null)
        {
            return Problems.BadMonth("/month");
        }

        var read = await page.Read(
            $"invoices?{tenantId}&{state}&{month}",
            (below, take) => InvoiceHead.Find(db, tenantId, null, state, Month(month), below, take, cancel), head => head.Id.Value);
        if (read.Refused(out var problem, out var heads))
        {
            return problem;
        }

        var views = new List<TenantInvoiceView>();
        foreach (var head in heads.Items)
        {
            views.Add(await View(db, head, options, cancel));
        }

        return TypedResults.Ok(new Page<TenantInvoiceView>(views, heads.Next));
    }

    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Get(
        InvoiceId id, SystemDb db, IOptions<BillingOptions> options, CancellationToken cancel) =>
        await InvoiceHead.Find(db, null, id.Value, null, null, null, 1, cancel) is [var head]
            ? TypedResults.Ok(await View(db, head, options, cancel)) : Web.Problems.NotFound.With();

    public static async Task<Results<ContentHttpResult, Problem>> GetHtml(
        InvoiceId id, SystemDb db, IOptions<BillingOptions> options, HttpContext http, CancellationToken cancel) =>
        await InvoiceHead.Find(db, null, id.Value, null, null, null, 1, cancel) is [var head]
            ? InvoicePage.Show(http, head, await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel)) : Web.Problems.NotFound.With();

    /// <summary>Issues a month that is over, without waiting for the grace period. Issued already: shows it.</summary>
    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Issue(
        InvoiceId id, SystemDb db, CloseBooks books, OperatorCaller caller, IOptions<BillingOptions> options, CancellationToken cancel)
    {
        if (await InvoiceHead.Find(db, null, id.Value, null, null, null, 1, cancel) is not [var head])
        {
            return Web.Problems.NotFound.With();
        }

        if (head.State == InvoiceState.Void || !head.Over)
        {
            return Problems.InvoiceFixed.With(head.Over ? "It is void." : "Its month is not over.");
        }

        if (head.State == InvoiceState.Draft)
        {
            var closed = await books.Close(head.TenantId, id, null, due: false, $"operator:{caller.Name}", cancel);
            if (closed.Findings.Count > 0)
            {
                return closed.Refusal();
            }

            if (closed.Issued.Count == 0 && await InvoiceHead.Find(db, null, id.Value, "draft", null, null, 1, cancel) is [_])
            {
                return Problems.InvoiceFixed.With("It has no lines.");
            }
        }

        return await Get(id, db, options, cancel);
    }

    /// <summary>Issues every draft of a month that is over, for the tenants whose books add up; 409 lists what keeps the others.</summary>
    public static async Task<Results<Ok<ClosedPeriodView>, Problem>> ClosePeriod(
        string period, SystemDb db, CloseBooks books, OperatorCaller caller, CancellationToken cancel)
    {
        if (Month(period) is not { } month)
        {
            return Web.Problems.NotFound.With();
        }

        if (!await db.Scalar<bool>($"select {month.AddMonths(1)}::date <= (now() at time zone 'UTC')::date as \"Value\"", cancel))
        {
            return Problems.InvoiceFixed.With("The month is not over.");
        }

        var closed = await books.Month(month, $"operator:{caller.Name}", cancel);
        return closed.Findings.Count > 0
            ? closed.Refusal() : TypedResults.Ok(new ClosedPeriodView(period, [.. closed.Issued.Select(head => head.Id)]));
    }

    /// <summary>Voids an issued invoice; its charges are on a new draft at once.</summary>
    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Void(
        InvoiceId id, VoidInvoiceRequest request, SystemDb db, IssueInvoices issue, OperatorCaller caller, IOptions<BillingOptions> options,
        CancellationToken cancel)
    {
        if (request.Reason.Length is < 1 or > 500)
        {
            return Web.Problems.Refused.At("/reason", "length", "1 to 500 characters.");
        }

        if (await InvoiceHead.Find(db, null, id.Value, null, null, null, 1, cancel) is not [var head])
        {
            return Web.Problems.NotFound.With();
        }

        if (head.State != InvoiceState.Void && await issue.Void(head, request.Reason, $"operator:{caller.Name}", cancel) is { } refused)
        {
            return refused;
        }

        return await Get(id, db, options, cancel);
    }

    /// <summary>Records a payment, once per reference. What is paid in full no longer holds up runs.</summary>
    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> RecordPayment(
        InvoiceId id, RecordPaymentRequest request, SystemDb db, OperatorCaller caller, IOptions<BillingOptions> options,
        CancellationToken cancel)
    {
        if (request.Reference.Length is < 1 or > 100)
        {
            return Web.Problems.Refused.At("/reference", "length", "1 to 100 characters.");
        }

        if (request.Amount <= Money.Zero)
        {
            return Web.Problems.Refused.At("/amount", "out_of_range", "A payment is above zero.");
        }

        await db.Execute($"select from billing.invoice where id = {id.Value} for no key update", cancel);
        if (await InvoiceHead.Find(db, null, id.Value, null, null, null, 1, cancel) is not [var head])
        {
            return Web.Problems.NotFound.With();
        }

        var known = await db.Scalar<long?>(
            $"select amount_micros as \"Value\" from billing.payment where tenant_id = {head.TenantId.Value} and invoice_id = {id.Value} and reference = {request.Reference}", cancel);
        if (known == request.Amount.Micros)
        {
            return TypedResults.Ok(await View(db, head, options, cancel));
        }

        var document = await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel);
        if (known is not null || head.State != InvoiceState.Issued || head.Kind != "invoice" || head.Paid + request.Amount > document.Total)
        {
            return Problems.InvoiceFixed.With(
                known is not null
                    ? "This reference was recorded with another amount."
                        : "A payment is for an issued invoice, and not above what is owed.");
        }

        await db.Execute(
            $"""
            insert into billing.payment (tenant_id, id, invoice_id, amount_micros, currency, reference, recorded_by)
            values ({head.TenantId.Value}, {Guid.CreateVersion7()}, {id.Value}, {request.Amount.Micros}, {Money.Currency}, {request.Reference}, {caller.Name})
            """,
            cancel);
        await new AuditLog(db)
            .Append(head.TenantId, $"operator:{caller.Name}", caller.Name, null, "invoice.paid", $"{id}", request, cancel);
        return await Get(id, db, options, cancel);
    }

    /// <summary>The first day of a month given as yyyy-mm; null where it is none.</summary>
    internal static DateOnly? Month(string? text) =>
        DateOnly.TryParseExact($"{text}-01", "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day.Year < 9999 ? day : null;

    internal static async Task<TenantInvoiceView> View(
        SystemDb db, InvoiceHead head, IOptions<BillingOptions> options, CancellationToken cancel) =>
        new(head.TenantId, (await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel)).View(head));
}
