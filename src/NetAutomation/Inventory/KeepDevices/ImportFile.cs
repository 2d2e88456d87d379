using System.Text;
using CsvHelper;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>A CSV file of devices as it was sent; each row interprets its own cells.</summary>
internal sealed record ImportFile(IReadOnlyList<ImportRow> Rows)
{
    private const int MostRows = 10_000;
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static async Task<Outcome<ImportFile>> Read(Stream body, CancellationToken cancel)
    {
        using var reader = new StreamReader(body, _strict);
        try
        {
            var text = await reader.ReadToEndAsync(cancel);
            return text.Contains('\0', StringComparison.Ordinal) ? Web.Problems.Malformed.With("The file holds U+0000.") : Parse(text);
        }
        catch (DecoderFallbackException)
        {
            return Web.Problems.Malformed.With("The file is not UTF-8.");
        }
    }

    private static Outcome<ImportFile> Parse(string text)
    {
        using var csv = CsvReader.FromText(text, new CsvReaderOptions
        {
            Separator = ',',
            TrimWhitespace = true,
            TrackLineNumbers = true,
            IncludeValuesInExceptions = false,
            MalformedData = CsvMalformedDataHandling.Throw,
            FieldCountMismatch = CsvFieldCountHandling.Throw,
        });
        try
        {
            var header = csv.Headers.ToArray();
            if (Array.Find(header, name => !ImportRow.Columns.Contains(name)) is { } unknown)
            {
                return Web.Problems.Refused.At(
                    "/rows/1", "unknown_column",
                    $"Row 1: there is no column '{unknown}'; the columns are {string.Join(", ", ImportRow.Columns)}.");
            }

            if (!header.Contains("name", StringComparer.Ordinal) || header.Distinct(StringComparer.Ordinal).Count() != header.Length)
            {
                return Web.Problems.Refused.At("/rows/1", "columns", "Row 1: a column 'name' is needed, and each column once.");
            }

            var rows = new List<ImportRow>();
            while (csv.Read())
            {
                var cells = header.Select((name, i) => (Name: name, Text: csv.GetString(i))).Where(cell => cell.Text.Length > 0);
                rows.Add(
                    new ImportRow((int)csv.LineNumber, cells.ToDictionary(cell => cell.Name, cell => cell.Text, StringComparer.Ordinal)));
                if (rows.Count > MostRows)
                {
                    return Web.Problems.Refused.At("/rows", "too_many", $"At most {MostRows} rows.");
                }
            }

            return new ImportFile(rows);
        }
        catch (CsvFormatException fault)
        {
            return Web.Problems.Refused.At(
                $"/rows/{fault.LineNumber}", "unreadable",
                $"Row {fault.LineNumber}: as many cells as the header has, quoted as RFC 4180 says, are expected.");
        }
    }
}
