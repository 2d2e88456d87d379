using System.Text;
using System.Text.Json;
using NetAutomation.Catalog.Publish;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class ManifestTests
{
    public static TheoryData<string> ShippedBlocks() =>
        [.. Directory.GetDirectories($"{PostgresServer.RepositoryRoot()}/src/Blocks").Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(ShippedBlocks))]
    public void Shipped_block_may_be_published(string slug) =>
        BlockFolder.Read($"{PostgresServer.RepositoryRoot()}/src/Blocks/{slug}").Manifest.Slug.ShouldBe(slug);

    [Theory]
    [InlineData("a: &x [1]\nb: *x", "anchors")]
    [InlineData("a: [*x]", "aliases")]
    [InlineData("a: !!python/object:os.system x", "tags")]
    [InlineData("a: !unsafe x", "tags")]
    [InlineData("a: 1\na: 2", "duplicate")]
    [InlineData("a: {b: 1, b: 2}", "duplicate")]
    [InlineData("a: {<<: {b: 1}}", "merge")]
    [InlineData("? [a]\n: 1", "key")]
    [InlineData("a: 1\n---\nb: 2", "")]
    [InlineData("a: [", "")]
    public void Yaml_beyond_plain_data_is_refused(string yaml, string reason) =>
        Should.Throw<FormatException>(() => StrictYaml.Read(yaml)).Message.ShouldContain(reason);

    [Fact]
    public void Yaml_bomb_is_refused_before_it_grows()
    {
        var bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for (var i = 1; i < 30; i++)
        {
            bomb.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]\n");
        }

        Should.Throw<FormatException>(() => StrictYaml.Read(bomb.ToString()));
        Should.Throw<FormatException>(() => StrictYaml.Read(new string('[', 30_000))).Message.ShouldContain("deeper");
        Should.Throw<FormatException>(() => StrictYaml.Read(new string('a', 70_000))).Message.ShouldContain("characters");
    }

    [Theory]
    [InlineData("yes", "\"yes\"")]
    [InlineData("true", "true")]
    [InlineData("\"1\"", "\"1\"")]
    [InlineData("12", "12")]
    [InlineData("0o7", "\"0o7\"")]
    [InlineData("1.5", "1.5")]
    [InlineData("~", "null")]
    [InlineData("1.2.0", "\"1.2.0\"")]
    public void Scalar_reads_as_the_core_schema_says(string yaml, string json) =>
        (StrictYaml.Read($"a: {yaml}")!["a"]?.ToJsonString() ?? "null").ShouldBe(json);

    [Theory]
    [InlineData("""{"const":1}""")]
    [InlineData("""{"if":{}}""")]
    [InlineData("""{"not":{}}""")]
    [InlineData("""{"oneOf":[]}""")]
    [InlineData("""{"anyOf":[]}""")]
    [InlineData("""{"allOf":[]}""")]
    [InlineData("""{"$ref":"#/x"}""")]
    [InlineData("""{"$dynamicRef":"#x"}""")]
    [InlineData("""{"$defs":{}}""")]
    [InlineData("""{"patternProperties":{}}""")]
    [InlineData("""{"propertyNames":{}}""")]
    [InlineData("""{"dependentRequired":{}}""")]
    [InlineData("""{"unevaluatedProperties":false}""")]
    [InlineData("""{"prefixItems":[]}""")]
    [InlineData("""{"contains":{}}""")]
    [InlineData("""{"minProperties":1}""")]
    [InlineData("""{"additionalProperties":true}""")]
    [InlineData("""{"properties":{"a":{"type":"string","format":"uri"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"string","pattern":"[0-9]+"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"string","pattern":"^\\d+$"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"string","pattern":"^(a$"}}}""")]
    [InlineData("""{"properties":{"a":{}}}""")]
    [InlineData("""{"properties":{"a":{"type":"array"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"array","items":{"type":"object"}}}}""")]
    [InlineData("""{"properties":{"a":{"type":"array","items":{"type":"string","const":"x"}}}}""")]
    [InlineData("""{"properties":{"a":{"type":"text"}}}""")]
    [InlineData("""{"properties":{"a.b":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"ansible_connection":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"ANSIBLE_HOST":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"hostvars":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"inventory_hostname":{"type":"string"}}}""")]
    public void Schema_that_promises_more_than_is_checked_is_refused(string part)
    {
        var schema = JsonSerializer.SerializeToNode(new { type = "object", additionalProperties = false })!.AsObject();
        InputSchemaRules.Faults(JsonElement.Parse(schema.ToJsonString())).ShouldBeEmpty();
        foreach (var (name, value) in System.Text.Json.Nodes.JsonNode.Parse(part)!.AsObject())
        {
            schema[name] = value?.DeepClone();
        }

        InputSchemaRules.Faults(JsonElement.Parse(schema.ToJsonString())).ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("slug: x-y", "slug: X Y")]
    [InlineData("version: 1.0.0", "version: 1.0")]
    [InlineData("version: 1.0.0", "version: 1.0.0-rc.1")]
    [InlineData("effect: read", "effect: harmless")]
    [InlineData("platforms: [frr]", "platforms: [ios]")]
    [InlineData("platforms: [frr]", "platforms: []")]
    [InlineData("title: T", "title: T\nsecret: x")]
    [InlineData("title: T\n", "")]
    [InlineData("run: \"1\"", "run: 1.5")]
    [InlineData("run: \"1\"", "run: \"-1\"")]
    [InlineData("run: \"1\"", "fee: \"1\"")]
    [InlineData("artifacts: [a.txt]", "artifacts: [../a.txt]")]
    public void Manifest_with_a_fault_is_refused(string good, string bad)
    {
        const string manifest = """
            slug: x-y
            version: 1.0.0
            title: T
            summary: S
            effect: read
            platforms: [frr]
            input: { type: object, additionalProperties: false }
            prices: { pay_per_use: { apply: { run: "1" } } }
            artifacts: [a.txt]
            """;
        BlockManifest.Parse(manifest).Prices!.Components().ApplyRun.ShouldBe(new Money(1_000_000));
        manifest.ShouldContain(good);
        Should.Throw<FormatException>(() => BlockManifest.Parse(manifest.Replace(good, bad, StringComparison.Ordinal)));
    }
}
