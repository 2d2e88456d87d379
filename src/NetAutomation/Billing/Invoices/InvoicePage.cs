using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing.Receipts;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>An invoice to look at and to print.</summary>
internal static class InvoicePage
{
    private const string Style =
        "body{font:14px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        + "table{border-collapse:collapse;width:100%;margin:1em 0}"
        + "th,td{padding:.3em .5em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
        + "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tfoot td{font-weight:bold}"
        + ".mark{font-size:2em;font-weight:bold;color:#b00}pre{white-space:pre-wrap;font:inherit}code{overflow-wrap:anywhere}"
        + "@media print{body{margin:0;max-width:none}thead{display:table-header-group}tr{break-inside:avoid}}@page{margin:2cm}";

    public static ContentHttpResult Show(HttpContext http, InvoiceHead head, InvoiceDocument document)
    {
        var payable = document.Kind == "invoice";
        var mark = head.State switch
        {
            InvoiceState.Draft => "Draft: not issued yet",
            InvoiceState.Void => $"Void since {Day(head.VoidedAt)}: {head.VoidReason}",
            InvoiceState.Issued => null,
        };
        var lines = document.Lines.Select(line =>
            $"""
            <tr><td>{Html.Text(Item(line))}</td><td class="n">{line.Quantity}</td><td class="n">{line.UnitPrice}</td>
            <td class="n">{line.Exact}</td><td class="n">{Amount(document, line.Amount)}</td></tr>
            """);
        return Html.Page(
            http, $"{(payable ? "Invoice" : "Statement")} {document.Number ?? "draft"}", Style,
            $"""
            {(mark is null ? "" : $"<p class=\"mark\">{Html.Text(mark)}</p>")}
            <pre>{Html.Text(document.Issuer)}</pre>
            <table><tbody>
            {Fact("Customer", $"{document.TenantName} ({document.TenantId})")}
            {Fact("Period", $"{document.PeriodStart:O} to {document.PeriodEnd.AddDays(-1):O} (UTC)")}
            {Fact("Issued", Day(document.IssuedAt))}
            {Fact("Due", Day(document.DueAt))}
            {Fact("Replaces", document.Replaces)}
            {Fact("Collected by", payable ? null : "AWS Marketplace; this is not a request for payment")}
            </tbody></table>
            <table>
            <thead><tr><th>Item</th><th class="n">Quantity</th><th class="n">Unit price</th><th class="n">Exact</th>
            <th class="n">Amount</th></tr></thead>
            <tbody>{string.Concat(lines)}</tbody>
            <tfoot><tr><td colspan="3">Total in {Money.Currency}, rounded by {document.Rounding}</td>
            <td class="n">{document.Exact}</td><td class="n" id="total">{Amount(document, document.Total)}</td></tr></tfoot>
            </table>
            {(head.DocumentSha256 is { } hash ? $"<p>SHA-256 of the document: <code>{ReceiptChain.Text(hash)}</code></p>" : "")}
            """);
    }

    private static string Item(InvoiceLineView line) => line.Type switch
    {
        InvoiceLineType.Charge => line.Sku,
        InvoiceLineType.CreditNote => $"Credit note {line.CreditNote} to invoice {line.Credits}: {line.Description}",
        var other => $"{Wire.Name(other)}: {line.Description}",
    };

    /// <summary>An invoice's amounts are whole cents.</summary>
    private static string Amount(InvoiceDocument document, Money amount) => document.Kind == "invoice"
        ? amount.ToString()[..^4] : amount.ToString();

    private static string Fact(string name, string? value) =>
        value is null ? "" : $"<tr><th>{name}</th><td>{Html.Text(value)}</td></tr>";

    private static string? Day(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
