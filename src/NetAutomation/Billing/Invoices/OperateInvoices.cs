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
        [Description("Only this month, yyyy-mm.")] string? month = null) =>
        month is not null && Month(month) is null
            ? Problems.BadMonth("/month")
            : await ListInvoices.Show(
                db, page, $"invoices?{tenantId}&{state}&{month}",
                (below, take) => InvoiceHead.Find(db, below, take, cancel, tenant: tenantId, state: state, month: Month(month)), options,
                View, cancel);

    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Get(
        InvoiceId id, SystemDb db, IOptions<BillingOptions> options, CancellationToken cancel) =>
        await ListInvoices.Read(id, db, options, cancel) is (var head, var document)
            ? TypedResults.Ok(View(head, document)) : Web.Problems.NotFound.With();

    public static async Task<Results<ContentHttpResult, Problem>> GetHtml(
        InvoiceId id, SystemDb db, IOptions<BillingOptions> options, HttpContext http, CancellationToken cancel) =>
        await ListInvoices.Read(id, db, options, cancel) is (var head, var document)
            ? InvoicePage.Show(http, head, document) : Web.Problems.NotFound.With();

    /// <summary>Issues a month that is over, without waiting for the grace period. Issued already: shows it.</summary>
    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Issue(
        InvoiceId id, SystemDb db, CloseBooks books, OperatorCaller caller, IOptions<BillingOptions> options, CancellationToken cancel)
    {
        if (await InvoiceHead.Find(db, id, cancel) is not { } head)
        {
            return Web.Problems.NotFound.With();
        }

        if (head.State == InvoiceState.Void || !head.Over)
        {
            return Problems.InvoiceFixed.With(head.Over ? "It is void." : "Its month is not over.");
        }

        if (head.State == InvoiceState.Draft)
        {
            var closed = await books.Close(head.TenantId, id, null, due: false, caller.Principal, cancel);
            if (closed.Findings.Count > 0)
            {
                return closed.Refusal();
            }

            if (closed.Issued.Count == 0 && await InvoiceHead.Find(db, id, cancel) is { State: InvoiceState.Draft })
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

        if (!await db.Scalar<bool>($"select {month.AddMonths(1)}::date <= (now() at time zone 'UTC')::date", cancel))
        {
            return Problems.InvoiceFixed.With("The month is not over.");
        }

        var closed = await books.Month(month, caller.Principal, cancel);
        return closed.Findings.Count > 0
            ? closed.Refusal() : TypedResults.Ok(new ClosedPeriodView(period, [.. closed.Issued.Select(head => head.Id)]));
    }

    /// <summary>Voids an issued invoice; its charges are on a new draft at once.</summary>
    public static async Task<Results<Ok<TenantInvoiceView>, Problem>> Void(
        InvoiceId id, VoidInvoiceRequest request, SystemDb db, IssueInvoices issue, OperatorCaller caller, IOptions<BillingOptions> options,
        CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } unfit)
        {
            return unfit;
        }

        if (await InvoiceHead.Find(db, id, cancel) is { State: not InvoiceState.Void } head
            && await issue.Void(head, request.Reason, caller.Principal, cancel) is { } refused)
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
        if (ShownText.Refusal(ShownText.TextFaults(request.Reference, "/reference", 100)) is { } unfit)
        {
            return unfit;
        }

        if (request.Amount <= Money.Zero)
        {
            return Web.Problems.Refused.At("/amount", "out_of_range", "A payment is above zero.");
        }

        await db.Execute($"select from billing.invoice where id = {id.Value} for no key update", cancel);
        if (await ListInvoices.Read(id, db, options, cancel) is not (var head, var document))
        {
            return Web.Problems.NotFound.With();
        }

        var tenant = head.TenantId.Value;
        var known = await db.Scalar<Money?>(
            $"""
            select amount_micros from billing.payment
            where tenant_id = {tenant} and invoice_id = {id.Value} and reference = {request.Reference}
            """,
            cancel);
        if (known == request.Amount)
        {
            return TypedResults.Ok(View(head, document));
        }

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
            values ({tenant}, {Guid.CreateVersion7()}, {id.Value}, {request.Amount.Micros}, {Money.Currency}, {request.Reference},
              {caller.Name})
            """,
            cancel);
        await new AuditLog(db).Append(caller, head.TenantId, "invoice.paid", $"{id}", request, cancel);
        return await Get(id, db, options, cancel);
    }

    /// <summary>The first day of a month given as yyyy-mm; null where it is none.</summary>
    internal static DateOnly? Month(string? text) =>
        DateOnly.TryParseExact($"{text}-01", "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day.Year < 9999 ? day : null;

    private static TenantInvoiceView View(InvoiceHead head, InvoiceDocument document) => new(head.TenantId, document.View(head));
}
