using CsvHelper;

namespace NetAutomation.Billing;

/// <summary>
/// Lines of CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers are written as they
/// are, also negative ones.
/// </summary>
internal static class Csv
{
    public const string MediaType = "text/csv";
    private static readonly CsvWriterOptions _options = new() { Injection = CsvInjection.Escape, InjectionCharacters = "=+-@\t\r\n" };

    public static CsvWriter Writer(Stream to) => CsvWriter.Create(to, _options, leaveOpen: true);

    /// <summary>Writes a line; null is an empty field.</summary>
    public static void Line(this CsvWriter csv, params ReadOnlySpan<object?> fields)
    {
        foreach (var field in fields)
        {
            switch (field)
            {
                case Money amount:
                    csv.WriteField(amount.Micros * (1m / Money.Unit));
                    break;
                case DateTimeOffset instant:
                    csv.WriteField(instant.ToUniversalTime(), "yyyy-MM-dd'T'HH:mm:ss'Z'");
                    break;
                default:
                    csv.WriteField(field);
                    break;
            }
        }

        csv.EndRecord();
    }
}
