using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Web;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Makes device output fit to store and show: no control or direction characters, no known secret in any usual spelling,
/// bounded. Fails closed: text that cannot be scrubbed is withheld.
/// </summary>
internal sealed partial class Scrubber
{
    public const string Mask = "********";
    private const string Withheld = "[withheld]";
    private readonly SpellingMask _mask;

    // Of the bytes of an artifact: Latin-1 maps them to characters one to one, so nothing but the secrets changes.
    private readonly SpellingMask _byteMask;

    public Scrubber(IEnumerable<string> secrets)
    {
        string[] spellings = [.. secrets.Where(secret => secret.Length > 0).Distinct(StringComparer.Ordinal).SelectMany(Spellings)];
        _mask = new SpellingMask(spellings);
        _byteMask = spellings.All(spelling => Ascii.IsValid(spelling)) ? _mask
            : new SpellingMask(spellings.Select(spelling => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(spelling))));
    }

    /// <summary>Text for people: cleaned, masked and at most <paramref name="limit"/> characters.</summary>
    public string Text(string text, int limit) => Scrubbed(text, limit) ?? Withheld;

    private string? Scrubbed(string text, int limit)
    {
        try
        {
            var raw = text.Length > 4 * limit + 65536 ? text[..(4 * limit + 65536)] : text;
            var clean = Masked(Clean(raw));
            // The end of a cut text may be the first half of a secret, which no mask knows.
            return raw.Length == text.Length && clean.Length <= limit
                ? clean
                : Cut(clean, Math.Min(limit, raw.Length == text.Length ? limit : Math.Max(0, clean.Length - _mask.Longest))) + "\n[cut]";
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>The same for every name and string of a JSON value; null where it is too long or cannot be scrubbed.</summary>
    public JsonElement? Json(JsonElement value, int limit)
    {
        try
        {
            var scrubbed = JsonSerializer.SerializeToElement(Node(value, limit));
            return Encoding.UTF8.GetByteCount(scrubbed.GetRawText()) <= limit ? scrubbed : null;
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>An artifact keeps its bytes except for secrets: it is data, not a message. Null where it cannot be scrubbed.</summary>
    public byte[]? Artifact(byte[] content)
    {
        try
        {
            var text = Encoding.Latin1.GetString(content);
            var masked = _byteMask.Apply(text, Mask);
            return ReferenceEquals(masked, text) ? content : Encoding.Latin1.GetBytes(masked);
        }
        catch (Exception)
        {
            return null;
        }
    }

    // Half characters come out of the enumeration as U+FFFD.
    private static string Clean(string text) => string.Concat(
        EscapeSequence.Replace(text, "").EnumerateRunes()
            .Where(rune => rune.Value is '\n' or '\t' || IsByte(rune.Value) || ShownText.IsShown(rune)));

    // Bytes of a device that are no UTF-8, as the engine shows them (engine/text.py).
    private static bool IsByte(int c) => c is '\uEF00' or (>= '\uEF80' and <= '\uEFFF');

    private string Masked(string text) => _mask.Apply(text, Mask);

    private static string Cut(string text, int limit)
    {
        var end = Math.Min(limit, text.Length);
        return end > 0 && char.IsHighSurrogate(text[end - 1]) ? text[..(end - 1)] : text[..end];
    }

    private JsonNode? Node(JsonElement value, int limit) => value.ValueKind switch
    {
        // Assigned, not added: two names may become one when scrubbed.
        JsonValueKind.Object => value.EnumerateObject().Aggregate(new JsonObject(), (node, member) =>
        {
            node[Whole(member.Name, 200)] = Node(member.Value, limit);
            return node;
        }),
        JsonValueKind.Array => new JsonArray([.. value.EnumerateArray().Select(item => Node(item, limit))]),
        JsonValueKind.String => Whole(value.GetString()!, limit),
        JsonValueKind.Number => Masked(value.GetRawText()) is var raw && raw == value.GetRawText() ? JsonNode.Parse(raw) : Mask,
        _ => JsonNode.Parse(value.GetRawText()),
    };

    private string Whole(string text, int limit) =>
        Scrubbed(text, limit) ?? throw new InvalidOperationException("Text that cannot be scrubbed.");

    private static IEnumerable<string> Spellings(string secret)
    {
        // A private key comes back line by line; its delimiters are no secret.
        var lines = secret.Split('\n', StringSplitOptions.TrimEntries)
            .Where(line => line.Length >= 16 && !line.StartsWith("-----", StringComparison.Ordinal));
        return lines.Prepend(secret).SelectMany(form =>
        {
            var url = Uri.EscapeDataString(form);
            var escaped = form.Replace("\\", "\\\\", StringComparison.Ordinal);
            string[] spellings =
            [
                form, Clean(form), url, url.Replace("%20", "+", StringComparison.Ordinal),
                PercentEscape.Replace(url, match => match.Value.ToLowerInvariant()), JsonEncodedText.Encode(form).Value,
                JsonEncodedText.Encode(form, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value,
                escaped.Replace("\"", "\\\"", StringComparison.Ordinal), escaped.Replace("'", "\\'", StringComparison.Ordinal),
                .. Base64(Encoding.UTF8.GetBytes(form)),
            ];
            return spellings;
        });
    }

    // Inside a longer text a secret starts at any of three bit offsets; the characters it shares with its neighbours are left out.
    private static IEnumerable<string> Base64(byte[] secret)
    {
        for (var offset = 0; offset < 3; offset++)
        {
            var encoded = Convert.ToBase64String([.. new byte[offset], .. secret]);
            var start = offset == 0 ? 0 : offset + 1;
            var end = (offset + secret.Length) * 8 / 6;
            if (end - start >= 4)
            {
                yield return encoded[start..end];
                yield return encoded[start..end].Replace('+', '-').Replace('/', '_');
            }
        }
    }

    [GeneratedRegex(
        @"\x1B(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\n\x1B\x07]*(?:\x07|\x1B\\)|[ -/]*[0-~])|\x9B[0-?]*[ -/]*[@-~]",
        RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 2000)]
    private static partial Regex EscapeSequence { get; }

    [GeneratedRegex("%[0-9A-F]{2}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 2000)]
    private static partial Regex PercentEscape { get; }
}
