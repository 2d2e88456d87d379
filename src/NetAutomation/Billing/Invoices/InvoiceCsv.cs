using System.Text;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>An invoice as CSV: a line each, then the rounding that is in the lines, then the total.</summary>
internal static class InvoiceCsv
{
    public static string Of(InvoiceDocument document)
    {
        var csv = new StringBuilder();
        Csv.Line(
            csv, "Number", "PeriodStart", "PeriodEnd", "Type", "Sku", "Description", "PriceVersionId", "UnitPrice", "Quantity", "Exact",
            "Amount", "Currency",
            "CreditNote", "Credits");
        foreach (var line in document.Lines)
        {
            Csv.Line(
                csv, document.Number, document.PeriodStart, document.PeriodEnd, Wire.Name(line.Type), line.Sku, line.Description,
                line.PriceVersionId, line.UnitPrice,
                line.Quantity, line.Exact, line.Amount, Money.Currency, line.CreditNote, line.Credits);
        }

        Csv.Line(
            csv, document.Number, document.PeriodStart, document.PeriodEnd, "total", null, "Sum of the lines", null, null, null,
            document.Exact, document.Total,
            Money.Currency, null, null);
        return csv.ToString();
    }
}
