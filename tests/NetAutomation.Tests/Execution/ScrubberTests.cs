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
}
