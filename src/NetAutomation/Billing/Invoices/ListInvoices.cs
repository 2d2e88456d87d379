using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>State of a month.</summary>
public enum InvoiceState
{
    Draft,
    Issued,
    Void,
}

/// <summary>What a line is: charges of one price, or one correction.</summary>
public enum InvoiceLineType
{
    Charge,
    Debit,
    Credit,
    CreditNote,
}

/// <summary>A month: an invoice where the provider collects, a statement where AWS Marketplace does.</summary>
/// <param name="Id">The invoice.</param>
/// <param name="Kind">invoice or statement.</param>
/// <param name="State">The running month is a draft; issued, it never changes; a void one is replaced by the next revision.</param>
/// <param name="Payable">True where the provider collects.</param>
/// <param name="PeriodStart">First day.</param>
/// <param name="PeriodEnd">First day of the next month.</param>
/// <param name="Lines">One line per price, one per credit or debit, one per price and invoice that credit notes correct.</param>
/// <param name="Total">Sum of the lines.</param>
/// <param name="Number">Without gaps per tenant; null for a draft.</param>
/// <param name="Revision">Counts up when an invoice of the month was voided.</param>
/// <param name="Replaces">Number of the void invoice before it.</param>
/// <param name="IssuedAt">When it was issued.</param>
/// <param name="DueAt">Until when it is to be paid.</param>
/// <param name="Exact">What the charges add up to.</param>
/// <param name="Rounding">Total minus exact: what rounding each line to cents came to.</param>
/// <param name="Paid">Payments received.</param>
/// <param name="VoidedAt">When it was voided.</param>
/// <param name="VoidReason">Why it was voided.</param>
/// <param name="Hash">SHA-256 of the document, see <c>/v1/invoices/{id}/document</c>.</param>
/// <param name="PreviousHash">Hash of the document before it.</param>
public sealed record InvoiceView(
    InvoiceId Id,
    string Kind,
    InvoiceState State,
    bool Payable,
    DateOnly PeriodStart,
    DateOnly PeriodEnd,
    IReadOnlyList<InvoiceLineView> Lines,
    Money Total,
    string? Number,
    int Revision,
    string? Replaces,
    DateTimeOffset? IssuedAt,
    DateTimeOffset? DueAt,
    Money Exact,
    Money Rounding,
    Money Paid,
    DateTimeOffset? VoidedAt,
    string? VoidReason,
    string? Hash,
    string? PreviousHash);

/// <summary>The charges of one price, or corrections.</summary>
/// <param name="Type">charge, or a correction: debit, credit, credit_note.</param>
/// <param name="Sku">Name of the price.</param>
/// <param name="Description">What a correction is for.</param>
/// <param name="PriceVersionId">The version charged; null for a credit or debit.</param>
/// <param name="UnitPrice">Price of one.</param>
/// <param name="Quantity">How many.</param>
/// <param name="Amount">What is billed: rounded half to even to cents on an invoice.</param>
/// <param name="Charges">How many charges the line sums.</param>
/// <param name="Exact">Unit price times quantity.</param>
/// <param name="CreditNote">Numbers of the credit notes, separated by commas.</param>
/// <param name="Credits">Number of the issued invoice that the credit notes correct.</param>
public sealed record InvoiceLineView(
    InvoiceLineType Type,
    string Sku,
    string? Description,
    PriceVersionId? PriceVersionId,
    Money? UnitPrice,
    long Quantity,
    Money Amount,
    long Charges,
    Money Exact,
    string? CreditNote,
    string? Credits);

internal static class ListInvoices
{
    /// <summary>Months, newest first.</summary>
    public static Task<Results<Ok<Page<InvoiceView>>, Problem>> Handle(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, IOptions<BillingOptions> options, CancellationToken cancel) =>
        Show(
            db, page, "invoices", (below, take) => InvoiceHead.Find(db, below, take, cancel, tenant: caller.Tenant), options,
            (head, document) => document.View(head), cancel);

    /// <summary>One month.</summary>
    public static async Task<Results<Ok<InvoiceView>, Problem>> GetInvoice(
        InvoiceId id, NetAutomationDb db, Caller caller, IOptions<BillingOptions> options, CancellationToken cancel) =>
        await Read(id, db, options, cancel, caller.Tenant) is (var head, var document)
            ? TypedResults.Ok(document.View(head)) : Web.Problems.NotFound.With();

    /// <summary>The month as a page to print. It loads nothing from elsewhere.</summary>
    public static async Task<Results<ContentHttpResult, Problem>> GetHtml(
        InvoiceId id, NetAutomationDb db, Caller caller, IOptions<BillingOptions> options, HttpContext http, CancellationToken cancel) =>
        await Read(id, db, options, cancel, caller.Tenant) is (var head, var document)
            ? InvoicePage.Show(http, head, document) : Web.Problems.NotFound.With();

    /// <summary>The lines of the month as CSV, closed by rounding and total.</summary>
    public static async Task<Results<ContentHttpResult, Problem>> GetCsv(
        InvoiceId id, NetAutomationDb db, Caller caller, IOptions<BillingOptions> options, CancellationToken cancel) =>
        await Read(id, db, options, cancel, caller.Tenant) is (_, var document)
            ? TypedResults.Text(InvoiceCsv.Of(document), Csv.MediaType, Encoding.UTF8) : Web.Problems.NotFound.With();

    /// <summary>The frozen bytes whose SHA-256 is the invoice's hash; a draft has none.</summary>
    public static async Task<Results<ContentHttpResult, Problem>> GetDocument(
        InvoiceId id, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await InvoiceHead.Find(db, id, cancel, caller.Tenant) is { Document: { } frozen }
            ? TypedResults.Text(frozen, "application/json", Encoding.UTF8) : Web.Problems.NotFound.With();

    /// <summary>A page of invoices, each with its document.</summary>
    internal static async Task<Results<Ok<Page<T>>, Problem>> Show<T>(
        NetAutomationDb db, PageQuery page, string filters, Func<Guid?, int, Task<List<InvoiceHead>>> find,
        IOptions<BillingOptions> options, Func<InvoiceHead, InvoiceDocument, T> view, CancellationToken cancel)
    {
        if ((await page.Read(filters, find, head => head.Id.Value)).Refused(out var problem, out var heads))
        {
            return problem;
        }

        var views = new List<T>();
        foreach (var head in heads.Items)
        {
            views.Add(view(head, await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel)));
        }

        return TypedResults.Ok(new Page<T>(views, heads.Next));
    }

    internal static async Task<(InvoiceHead Head, InvoiceDocument Document)?> Read(
        InvoiceId id, NetAutomationDb db, IOptions<BillingOptions> options, CancellationToken cancel, TenantId? tenant = null) =>
        await InvoiceHead.Find(db, id, cancel, tenant) is { } head
            ? (head, await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel)) : null;
}
