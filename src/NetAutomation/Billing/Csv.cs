using System.Globalization;
using System.Text;

namespace NetAutomation.Billing;

/// <summary>
/// Lines of CSV (RFC 4180). A text that a spreadsheet would take for a formula is given an apostrophe in front; numbers are written as
/// they are, also negative ones.
/// </summary>
internal static class Csv
{
    public const string MediaType = "text/csv";

    /// <summary>Numbers are long or Money; everything else is text. Null is an empty field.</summary>
    public static void Line(StringBuilder to, params ReadOnlySpan<object?> fields)
    {
        for (var i = 0; i < fields.Length; i++)
        {
            if (i > 0)
            {
                to.Append(',');
            }

            switch (fields[i])
            {
                case null:
                    break;
                case long number:
                    to.Append(number);
                    break;
                case Money amount:
                    to.Append(amount);
                    break;
                case DateTimeOffset instant:
                    to.Append(instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
                    break;
                case DateOnly day:
                    to.Append(day.ToString("O", CultureInfo.InvariantCulture));
                    break;
                case var other:
                    Text(to, other.ToString()!);
                    break;
            }
        }

        to.Append("\r\n");
    }

    private static void Text(StringBuilder to, string text)
    {
        if (text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n')
        {
            text = $"'{text}";
        }

        if (text.AsSpan().IndexOfAny("\",\r\n") < 0)
        {
            to.Append(text);
            return;
        }

        to.Append('"').Append(text.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
    }
}
