using System.Text;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

public sealed class ScrubberTests
{
    private const string Secret = "p\"a/s+s w'ö\\rd";
    private readonly Scrubber _scrubber = new([Secret, "second-secret"]);

    public static TheoryData<string> Spellings()
    {
        var bytes = Encoding.UTF8.GetBytes(Secret);
        return
        [
            Secret,
            Uri.EscapeDataString(Secret),
            Uri.EscapeDataString(Secret).Replace("%20", "+"),
            Uri.EscapeDataString(Secret).ToLowerInvariant(),
            JsonSerializer.Serialize(Secret).Trim('"'),
            JsonEncodedText.Encode(Secret, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value,
            Convert.ToBase64String(bytes),
            Convert.ToBase64String([.. "u:"u8, .. bytes, .. ":x"u8]),
            Convert.ToBase64String([.. "admin"u8, .. bytes]),
            Convert.ToBase64String([.. "::"u8, .. bytes]).Replace('+', '-').Replace('/', '_'),
            $"p\"a\u001b[31m/s+s\u200b w'\u202eö\\rd",
        ];
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public void Text_with_a_secret_in_any_spelling_loses_it(string spelling)
    {
        var text = _scrubber.Text($"before {spelling} after", 1000);

        text.ShouldStartWith("before ");
        text.ShouldEndWith(" after");
        text.ShouldContain(Scrubber.Mask);
        // Only characters that a base64 group shares with its neighbours may stay.
        text.Replace(Scrubber.Mask, "").Length.ShouldBeLessThan("before  after".Length + 13);
    }

    [Theory]
    [InlineData("a\u001b[2J\u001b]0;title\u0007b\u009b31mc", "abc")]
    [InlineData("a\r\n\r\ndata: x", "a\n\ndata: x")]
    [InlineData("user\u202Etxt.exe\u2066\u200f\u061c", "usertxt.exe")]
    [InlineData("\0\b\u007f\u0085a\u2028b", "ab")]
    [InlineData("\u001b", "")]
    public void Text_with_control_or_direction_characters_loses_them(string raw, string clean) =>
        _scrubber.Text(raw, 100).ShouldBe(clean);

    // No InlineData: an attribute cannot hold half a character.
    [Fact]
    public void Text_with_half_characters_becomes_valid() =>
        _scrubber.Text("ok \U0001F600 \ud800 \udc00", 100).ShouldBe("ok \U0001F600 \ufffd \ufffd");

    [Fact]
    public void A_secret_across_the_cut_does_not_show_its_first_half()
    {
        for (var limit = 1; limit < 40; limit++)
        {
            _scrubber.Text(new string('x', 20) + "second-secret" + new string('y', 20), limit).ShouldNotContain("sec");
        }

        var noise = string.Concat(Enumerable.Repeat("\u001b[0m", 20_000));
        var tail = 4 * 10 + 65536 - 6;
        _scrubber.Text(noise[..(tail - tail % 4)] + "xxsecond-secret", 10).ShouldNotContain("sec");
    }

    [Fact]
    public void Json_is_scrubbed_in_names_values_and_numbers_and_stays_json()
    {
        var scrubber = new Scrubber(["12345", "second-secret"]);

        var result =
            scrubber.Json(
                JsonSerializer.Deserialize<JsonElement>("""{"a second-secret":["x\u001b[0msecond-secret",12345,true,null,{"n":1.5}]}"""),
                1000).ShouldNotBeNull();

        result.GetRawText().ShouldBe("""{"a ********":["x********","********",true,null,{"n":1.5}]}""");
    }

    [Fact]
    public void Json_beyond_the_limit_is_none() =>
        _scrubber.Json(JsonSerializer.SerializeToElement(new string('x', 500)), 400).ShouldBeNull();

    [Fact]
    public void An_artifact_keeps_every_byte_but_the_secret()
    {
        byte[] content = [0, 255, 27, .. "second-secret"u8, 10, 200, .. Encoding.UTF8.GetBytes(Secret)];

        _scrubber.Artifact(content).ShouldBe([0, 255, 27, .. "********"u8, 10, 200, .. "********"u8]);
    }

    [Fact]
    public void A_private_key_is_masked_line_by_line()
    {
        const string Key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----";

        var text = new Scrubber([Key]).Text("error near BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj -----BEGIN KEY-----", 200);

        text.ShouldBe("error near ******** -----BEGIN KEY-----");
    }

    [Fact]
    public void Many_secrets_in_one_text_are_masked_as_if_one_after_the_other_and_nothing_more_shows_where_they_overlap()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            // Letters that base64, URLs and JSON leave as they are or not; few enough that secrets overlap by chance.
            var random = new Random(seed);
            var letters = seed % 2 == 0 ? "ab" : "abcdefgh/+\"\\ é";
            string Some(int least, int most) => new(random.GetItems<char>(letters, random.Next(least, most)));
            string[] secrets = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => Some(4, 12))];
            var text = string.Concat(Enumerable.Range(0, 40).Select(_ => random.Next(3) switch
            {
                0 => secrets[random.Next(secrets.Length)],
                1 => Convert.ToBase64String(Encoding.UTF8.GetBytes(Some(0, 2) + secrets[random.Next(secrets.Length)])),
                _ => Some(0, 6) + "|",
            }));

            var shown = new Scrubber(secrets).Text(text, 10_000);
            var bytes = Encoding.UTF8.GetString(new Scrubber(secrets).Artifact(Encoding.UTF8.GetBytes(text)).ShouldNotBeNull());

            var (before, overlap) = OneAfterTheOther(secrets, text);
            bytes.ShouldBe(shown, $"seed {seed}");
            if (!overlap)
            {
                shown.ShouldBe(before, $"seed {seed}");
            }

            IsPartOf(shown.Replace(Scrubber.Mask, ""), before.Replace(Scrubber.Mask, "")).ShouldBeTrue($"seed {seed}: {shown} {before}");
        }
    }

    [Fact]
    public void Scrubbing_takes_no_more_memory_for_many_secrets_that_all_stand_in_the_text()
    {
        var random = new Random(1);
        string[] keys = [.. Enumerable.Range(0, 20).Select(_ => string.Join('\n', Enumerable.Range(0, 200).Select(_ => Line(random))))];
        var scrubber = new Scrubber(keys);
        var text = Encoding.UTF8.GetBytes(string.Join(" ", keys.SelectMany(key => key.Split('\n')).Reverse()));

        var before = GC.GetAllocatedBytesForCurrentThread();
        var scrubbed = scrubber.Artifact(text);
        var taken = GC.GetAllocatedBytesForCurrentThread() - before;

        Encoding.UTF8.GetString(scrubbed!).ShouldBe(string.Join(" ", Enumerable.Repeat(Scrubber.Mask, 20 * 200)));
        taken.ShouldBeLessThan(20L * text.Length);
    }

    [Fact]
    public void Text_that_nearly_repeats_a_long_secret_all_the_time_is_withheld()
    {
        var scrubber = new Scrubber([new string('a', 1000) + "b"]);

        scrubber.Artifact(Encoding.UTF8.GetBytes(new string('a', 100_000))).ShouldBeNull();
        scrubber.Text(new string('a', 100_000), 100_000).ShouldBe("[withheld]");
        scrubber.Text(new string('a', 500), 1000).ShouldBe(new string('a', 500));
    }

    private static string Line(Random random)
    {
        var bytes = new byte[48];
        random.NextBytes(bytes);
        return Convert.ToBase64String(bytes);
    }

    private static bool IsPartOf(string part, string whole)
    {
        var at = 0;
        foreach (var letter in whole)
        {
            at += at < part.Length && part[at] == letter ? 1 : 0;
        }

        return at == part.Length;
    }

    // What masking means: the longest spelling first, each wherever it still stands.
    private static (string Text, bool Overlap) OneAfterTheOther(string[] secrets, string text)
    {
        string[] spellings = [.. secrets.SelectMany(Spelled).Distinct().OrderByDescending(spelling => spelling.Length)];
        var places = spellings.SelectMany(spelling => Enumerable.Range(0, text.Length)
            .Where(at => string.CompareOrdinal(text, at, spelling, 0, spelling.Length) == 0)
            .Select(at => (Start: at, End: at + spelling.Length))).ToList();
        return (
            spellings.Aggregate(text, (masked, spelling) => masked.Replace(spelling, Scrubber.Mask, StringComparison.Ordinal)),
            places.Any(one => places.Any(other => one.Start < other.Start && other.Start < one.End && one.End < other.End)));
    }

    private static IEnumerable<string> Spelled(string secret)
    {
        var (url, escaped, bytes) = (Uri.EscapeDataString(secret), secret.Replace("\\", "\\\\"), Encoding.UTF8.GetBytes(secret));
        string[] plain =
        [
            secret, url, url.Replace("%20", "+"), string.Join('%', url.Split('%').Select((part, i) =>
                i == 0 ? part : part[..2].ToLowerInvariant() + part[2..])),
            JsonEncodedText.Encode(secret).Value,
            JsonEncodedText.Encode(secret, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value,
            escaped.Replace("\"", "\\\""), escaped.Replace("'", "\\'"),
        ];
        return plain.Concat(Enumerable.Range(0, 3).SelectMany(offset =>
        {
            var encoded = Convert.ToBase64String([.. new byte[offset], .. bytes]);
            var (start, end) = (offset == 0 ? 0 : offset + 1, (offset + bytes.Length) * 8 / 6);
            return end - start < 4 ? Enumerable.Empty<string>()
                : [encoded[start..end], encoded[start..end].Replace('+', '-').Replace('/', '_')];
        }));
    }
}
