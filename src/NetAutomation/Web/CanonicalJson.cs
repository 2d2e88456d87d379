using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace NetAutomation.Web;

/// <summary>
/// JSON with sorted members, no white space and one form for each number: 1, 1.0 and 10e-1 are the same. Integers of 64 bits are exact, and
/// other numbers are doubles, as the programs that read them take them. RFC 8785 would take integers for doubles, too.
/// </summary>
internal static class CanonicalJson
{
    public static string Hash(JsonElement value) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Bytes(value)))}";

    public static byte[] Bytes(JsonElement value)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            Write(writer, value);
        }

        return buffer.ToArray();
    }

    /// <summary>The value with its members sorted and its numbers in their one form.</summary>
    public static JsonElement Normal(JsonElement value) => JsonElement.Parse(Bytes(value));

    /// <summary>The JSON number is an integer of 64 bits, however it is written.</summary>
    public static bool IsWhole(ReadOnlySpan<char> number, out long value)
    {
        value = 0;
        var mantissa = number;
        var power = 0;
        if (number.IndexOfAny('e', 'E') is >= 0 and var e)
        {
            mantissa = number[..e];
            if (!int.TryParse(number[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out power))
            {
                return false;
            }
        }

        var point = mantissa.IndexOf('.');
        var digits = point < 0 ? mantissa.ToString() : $"{mantissa[..point]}{mantissa[(point + 1)..]}";
        var zeros = power - (long)(point < 0 ? 0 : mantissa.Length - point - 1);
        var significant = digits.TrimEnd('0');
        if (significant is "" or "-")
        {
            return true;
        }

        zeros += digits.Length - significant.Length;
        return zeros is >= 0 and < 20
            && long.TryParse(
                significant + new string('0', (int)zeros), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(member.Name);
                    Write(writer, member.Value);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case JsonValueKind.Number when IsWhole(value.GetRawText(), out var whole):
                writer.WriteNumberValue(whole);
                break;
            case JsonValueKind.Number when double.IsFinite(value.GetDouble()):
                writer.WriteNumberValue(value.GetDouble());
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }
}
