using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Catalog.Schema;

namespace NetAutomation.Tests.Catalog;

public sealed class BlockInputTests
{
    private static readonly BlockVersion _version = new(
        "test", "1.0.0", 1, "sha256:test-input", Effect.Read, ["frr"], [], "/", """
        {"type":"object","additionalProperties":false,"required":["routes"],"properties":{
          "routes":{"type":"array","minItems":1,"maxItems":3,"uniqueItems":true,"items":{
            "type":"object","additionalProperties":false,"required":["prefix"],"properties":{
            "prefix":{"type":"string","minLength":2,"maxLength":8,"pattern":"^[0-9./]+$"},
            "metric":{"type":"integer","minimum":1,"exclusiveMaximum":10,"multipleOf":2},
            "mode":{"type":"string","enum":["a","b"]},
            "v4":{"type":"string","format":"ipv4"},"v6":{"type":"string","format":"ipv6"},
            "at":{"type":"string","format":"date-time"},"host":{"type":"string","format":"hostname"},
            "tag":{"type":["integer","null"],"minimum":3}}}},
          "note":{"type":"string"},"on":{"type":"boolean"}}}
        """, Withdrawn: false);

    [Theory]
    [InlineData("""{"routes":[{"prefix":"10/8"}]}""")]
    [InlineData(
        """
        {"routes":[{"prefix":"10/8","metric":2,"mode":"a","v4":"10.0.0.1","v6":"::1","at":"2026-01-01T00:00:00Z","host":"r1.example",
          "tag":null}],"note":"é 🚦","on":true}
        """)]
    [InlineData("""{"routes":[{"prefix":"10/8"},{"prefix":"11/8"},{"prefix":"12/8"}]}""")]
    [InlineData("""{"routes":[{"prefix":"10/8","metric":4.0},{"prefix":"11/8","metric":4e0},{"prefix":"12/8","metric":400E-2}]}""")]
    public void Input_that_keeps_the_schema_passes(string json) => Validate(json).ShouldBeEmpty();

    [Theory]
    [InlineData("[]", "/input type")]
    [InlineData("""{}""", "/input/routes required")]
    [InlineData("""{"routes":[]}""", "/input/routes min_items")]
    [InlineData("""{"routes":{}}""", "/input/routes type")]
    [InlineData("""{"routes":[{"prefix":"1/1"},{"prefix":"2/1"},{"prefix":"3/1"},{"prefix":"4/1"}]}""", "/input/routes max_items")]
    [InlineData("""{"routes":[{"prefix":"1/1"},{"prefix":"1/1"}]}""", "/input/routes unique_items")]
    [InlineData("""{"routes":[{"prefix":"1/1"},{}]}""", "/input/routes/1/prefix required")]
    [InlineData("""{"routes":[{"prefix":5}]}""", "/input/routes/0/prefix type")]
    [InlineData("""{"routes":[{"prefix":"x/y"}]}""", "/input/routes/0/prefix pattern")]
    [InlineData("""{"routes":[{"prefix":"1"}]}""", "/input/routes/0/prefix min_length")]
    [InlineData("""{"routes":[{"prefix":"111111111"}]}""", "/input/routes/0/prefix max_length")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":0}]}""", "/input/routes/0/metric minimum")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":10}]}""", "/input/routes/0/metric maximum")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":3}]}""", "/input/routes/0/metric multiple_of")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":"2"}]}""", "/input/routes/0/metric type")]
    [InlineData("""{"routes":[{"prefix":"1/1","tag":4.5}]}""", "/input/routes/0/tag type")]
    [InlineData("""{"routes":[{"prefix":"1/1","tag":45e-1}]}""", "/input/routes/0/tag type")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":9.0}]}""", "/input/routes/0/metric multiple_of")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":1e1}]}""", "/input/routes/0/metric maximum")]
    [InlineData("""{"routes":[{"prefix":"1/1","tag":1e19}]}""", "/input/routes/0/tag type")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":2},{"prefix":"1/1","metric":2.0}]}""", "/input/routes unique_items")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":99999999999999999999}]}""", "/input/routes/0/metric out_of_range")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":1e999}]}""", "/input/routes/0/metric out_of_range")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":1e-999999999}]}""", "/input/routes/0/metric out_of_range")]
    [InlineData("""{"routes":[{"prefix":"1/1","metric":0e99999999999}]}""", "/input/routes/0/metric out_of_range")]
    [InlineData(
        """{"routes":[{"prefix":"1/1","metric":1.00000000000000000000000000000000000000000000000000000000000000000000001}]}""",
        "/input/routes/0/metric out_of_range")]
    [InlineData("""{"routes":[{"prefix":"1/1","mode":"c"}]}""", "/input/routes/0/mode enum")]
    [InlineData("""{"routes":[{"prefix":"1/1","v4":"10.0.0.256"}]}""", "/input/routes/0/v4 format")]
    [InlineData("""{"routes":[{"prefix":"1/1","v4":"010.0.0.1"}]}""", "/input/routes/0/v4 format")]
    [InlineData("""{"routes":[{"prefix":"1/1","at":"2026-01-01T00:00:00"}]}""", "/input/routes/0/at format")]
    [InlineData("""{"routes":[{"prefix":"1/1","v6":"10.0.0.1"}]}""", "/input/routes/0/v6 format")]
    [InlineData("""{"routes":[{"prefix":"1/1","at":"noon"}]}""", "/input/routes/0/at format")]
    [InlineData("""{"routes":[{"prefix":"1/1","host":"a b"}]}""", "/input/routes/0/host format")]
    [InlineData("""{"routes":[{"prefix":"1/1","tag":2}]}""", "/input/routes/0/tag minimum")]
    [InlineData("""{"routes":[{"prefix":"1/1","tag":"x"}]}""", "/input/routes/0/tag type")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"on":"true"}""", "/input/on type")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":null}""", "/input/note type")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"a.b/c~d[0]":1}""", "/input/a.b~1c~0d[0] additional_property")]
    [InlineData("""{"routes":[{"prefix":"1/1","ansible_host":"x"}]}""", "/input/routes/0/ansible_host additional_property")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"{{ x }}"}""", "/input/note template")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"{% x %}"}""", "/input/note template")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"{# x"}""", "/input/note template")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"{{x}}":1}""", "/input/{{x}} template")]
    [InlineData("""{"routes":[{"prefix":"10/8\n"}]}""", "/input/routes/0/prefix control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"a\u0000b"}""", "/input/note control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"a\u001b[2Jb"}""", "/input/note control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"a\u0085b"}""", "/input/note control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"a\u202eb"}""", "/input/note control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"\ud800"}""", "/input/note control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"\ud800":1}""", "/input control_character")]
    [InlineData("""{"routes":[{"prefix":"1/1"}],"note":"a","note":"b"}""", "/input/note duplicate")]
    public void Input_against_the_schema_is_refused_where_the_fault_is(string json, string fault) => Validate(json).ShouldBe([fault]);

    [Fact]
    public void All_faults_are_reported_together() =>
        Validate("""{"routes":[{"prefix":"x","metric":0},{}],"on":1}""").ShouldBe(
            ["/input/on type", "/input/routes/0/metric minimum", "/input/routes/0/prefix min_length", "/input/routes/0/prefix pattern",
                "/input/routes/1/prefix required"],
            ignoreOrder: true);

    [Fact]
    public void Oversized_input_is_refused() =>
        Validate($$"""{"routes":[{"prefix":"1/1"}],"note":"{{new string('a', 300_000)}}"}""").ShouldBe(["/input too_large"]);

    [Fact]
    public void A_pattern_that_could_match_in_many_ways_takes_no_longer_for_it()
    {
        var version =
            _version with
            {
                Digest = "sha256:test-slow",
                InputSchema =
                    """{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","pattern":"^(a+)+$"}}}"""
            };
        Validate($$"""{"a":"{{new string('a', 200_000)}}!"}""", version).ShouldBe(["/input/a pattern"]);
        Validate($$"""{"a":"{{new string('a', 200_000)}}"}""", version).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("^a$", @"^a\z")]
    [InlineData(@"^a(?!\n)$", @"^a\z")]
    [InlineData(@"^a\$", @"^a\$")]
    [InlineData(@"^a\\$", @"^a\\\z")]
    public void A_dollar_at_the_end_of_a_pattern_is_the_end_of_the_text(string pattern, string matched) =>
        InputSchema.Matched(pattern).ShouldBe(matched);

    [Fact]
    public void Many_items_are_compared_in_no_time()
    {
        const string schema =
            """
            {"type":"object","additionalProperties":false,
              "properties":{"a":{"type":"array","uniqueItems":true,"items":{"type":"integer"}}}}
            """;
        var version = _version with { Digest = "sha256:test-many", InputSchema = schema };
        Validate($$"""{"a":[{{string.Join(',', Enumerable.Range(0, 45_000))}}]}""", version).ShouldBeEmpty();
        Validate($$"""{"a":[{{string.Join(',', Enumerable.Repeat(7, 120_000))}}]}""", version).ShouldBe(["/input/a unique_items"]);
    }

    [Fact]
    public void A_mark_over_a_letter_counts_as_a_character() =>
        Validate($$"""{"routes":[{"prefix":"1/1{{new string('\u0301', 6)}}"}]}""")
            .ShouldBe(["/input/routes/0/prefix max_length", "/input/routes/0/prefix pattern"], ignoreOrder: true);

    private static IEnumerable<string> Validate(string json, BlockVersion? version = null) =>
        BlockInput.Validate(version ?? _version, JsonElement.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = true }))
            .Select(fault => $"{fault.Pointer} {fault.Code}");
}
