using System.Text;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>An invoice as CSV: a line each, then the total with the rounding that is in the lines.</summary>
internal static class InvoiceCsv
{
    public static string Of(InvoiceDocument document)
    {
        using var text = new MemoryStream();
        using (var csv = Csv.Writer(text))
        {
            csv.Line(
                "Number", "PeriodStart", "PeriodEnd", "Type", "Sku", "Description", "PriceVersionId", "UnitPrice", "Quantity", "Exact",
                "Amount", "Currency", "CreditNote", "Credits");
            foreach (var line in document.Lines)
            {
                csv.Line(
                    document.Number, document.PeriodStart, document.PeriodEnd, Wire.Name(line.Type), line.Sku, line.Description,
                    line.PriceVersionId, line.UnitPrice, line.Quantity, line.Exact, line.Amount, Money.Currency, line.CreditNote,
                    line.Credits);
            }

            csv.Line(
                document.Number, document.PeriodStart, document.PeriodEnd, "total", null, "Sum of the lines", null, null, null,
                document.Exact, document.Total, Money.Currency, null, null);
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
