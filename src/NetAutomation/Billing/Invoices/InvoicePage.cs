using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing.Receipts;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>An invoice to look at and to print. Everything in it is escaped, and it loads nothing.</summary>
internal static class InvoicePage
{
    private const string Style =
        "body{font:14px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;width:100%;margin:1em 0}"
        + "th,td{padding:.3em .5em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
        + "tfoot td{font-weight:bold}.mark{font-size:2em;font-weight:bold;color:#b00}pre{white-space:pre-wrap;font:inherit}code{overflow-wrap:anywhere}"
        + "@media print{body{margin:0;max-width:none}thead{display:table-header-group}tr{break-inside:avoid}}@page{margin:2cm}";

    private static readonly string _policy =
        $"default-src 'none'; style-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)))}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    public static ContentHttpResult Show(HttpContext http, InvoiceHead head, InvoiceDocument document)
    {
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.ContentSecurityPolicy = _policy;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.Text(Render(head, document), "text/html", Encoding.UTF8);
    }

    private static string Render(InvoiceHead head, InvoiceDocument document)
    {
        var title = document.Kind == "invoice" ? "Invoice" : "Statement";
        var page = new StringBuilder();
        page.Append(
            CultureInfo.InvariantCulture,
            $"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} {Text(document.Number ?? "draft")}</title><style>{Style}</style></head><body>");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{title} {Text(document.Number)}</h1>");
        if (head.State == InvoiceState.Draft)
        {
            page.Append("<p class=\"mark\">Draft: not issued yet</p>");
        }
        else if (head.State == InvoiceState.Void)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"mark\">Void since {Day(head.VoidedAt)}: {Text(head.VoidReason)}</p>");
        }

        page.Append(CultureInfo.InvariantCulture, $"<pre>{Text(document.Issuer)}</pre><table><tbody>");
        Fact(page, "Customer", $"{document.TenantName} ({document.TenantId})");
        Fact(page, "Period", $"{document.PeriodStart:O} to {document.PeriodEnd.AddDays(-1):O} (UTC)");
        Fact(page, "Issued", Day(document.IssuedAt));
        Fact(page, "Due", Day(document.DueAt));
        Fact(page, "Replaces", document.Replaces);
        Fact(page, "Collected by", document.Kind == "invoice" ? null : "AWS Marketplace; this is not a request for payment");
        page.Append(
            "</tbody></table><table><thead><tr><th>Item</th><th class=\"n\">Quantity</th><th class=\"n\">Unit price</th><th class=\"n\">Exact</th><th class=\"n\">Amount</th></tr></thead><tbody>");
        foreach (var line in document.Lines)
        {
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{Text(Item(line))}</td><td class=\"n\">{line.Quantity}</td><td class=\"n\">{line.UnitPrice}</td><td class=\"n\">{line.Exact}</td><td class=\"n\">{Amount(document, line.Amount)}</td></tr>");
        }

        page.Append(
            CultureInfo.InvariantCulture,
            $"</tbody><tfoot><tr><td colspan=\"3\">Total in {Money.Currency}, rounded by {document.Rounding}</td>");
        page.Append(CultureInfo.InvariantCulture, $"<td class=\"n\">{document.Exact}</td><td class=\"n\" id=\"total\">{Amount(document, document.Total)}</td></tr></tfoot></table>");
        if (head.DocumentSha256 is { } hash)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>SHA-256 of the document: <code>{ReceiptChain.Text(hash)}</code></p>");
        }

        return page.Append("</body></html>").ToString();
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

    private static void Fact(StringBuilder page, string name, string? value)
    {
        if (value is not null)
        {
            page.Append(CultureInfo.InvariantCulture, $"<tr><th>{name}</th><td>{Text(value)}</td></tr>");
        }
    }

    private static string? Day(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Text(string? text) => WebUtility.HtmlEncode(text ?? "");
}
