using System.Text;
using System.Text.Json;
using NetAutomation.Catalog.Publish;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Platforms.Publish;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class ManifestTests
{
    private static readonly string[] _platforms =
        [.. Directory.GetDirectories($"{PostgresServer.RepositoryRoot()}/src/Platforms").Select(path => Path.GetFileName(path))];

    public static TheoryData<string> ShippedBlocks() =>
        [.. Directory.GetDirectories($"{PostgresServer.RepositoryRoot()}/src/Blocks").Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(ShippedBlocks))]
    public void Shipped_block_may_be_published(string slug) =>
        BlockFolder.Read(ContentFolder.Read($"{PostgresServer.RepositoryRoot()}/src/Blocks/{slug}"), _platforms)
            .Platforms.ShouldNotBeEmpty();

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
        Should.Throw<FormatException>(() => StrictYaml.Read("test.yaml", yaml)).Message.ShouldContain(reason);

    [Fact]
    public void Yaml_bomb_is_refused_before_it_grows()
    {
        var bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for (var i = 1; i < 30; i++)
        {
            bomb.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]\n");
        }

        Should.Throw<FormatException>(() => StrictYaml.Read("test.yaml", bomb.ToString()));
        Should.Throw<FormatException>(() => StrictYaml.Read("test.yaml", new string('[', 30_000))).Message.ShouldContain("deeper");
        Should.Throw<FormatException>(() => StrictYaml.Read("test.yaml", new string('a', 70_000))).Message.ShouldContain("characters");
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
        (StrictYaml.Read("test.yaml", $"a: {yaml}").Root!["a"]?.ToJsonString() ?? "null").ShouldBe(json);

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
    [InlineData("""{"properties":{"a":{"type":"string","format":"asn"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"object","additionalProperties":false,"format":"ipv4"}}}""")]
    [InlineData("""{"properties":{"a":{"type":"object","format":"secret","properties":{"b":{"type":"string"}}}}}""")]
    [InlineData("""{"properties":{"a":{"type":"array","uniqueBy":["b"],"items":{"type":"string"}}}}""")]
    [InlineData("""{"properties":{"a":{"type":"string"}},"requiredAny":["a","b"]}""")]
    [InlineData("""{"properties":{"a":{"type":"string"}},"requiredAny":[]}""")]
    [InlineData("""{"properties":{"a":{"type":"string"}},"requiredUnlessAbsent":["a"]}""")]
    [InlineData("""{"properties":{"a":{"type":"string"},"b":{"type":"string","format":"ip"}},"sameFamily":["a","b"]}""")]
    [InlineData("""{"linkLocalNeeds":"a"}""")]
    [InlineData("""{"properties":{"a":{"type":"integer"},"b":{"type":"string","format":"prefix"}},"prefixLengths":["a","b"]}""")]
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
        InputSchemaRules.Faults(JsonElement.Parse(schema.ToJsonString()), "/input").ShouldBeEmpty();
        foreach (var (name, value) in System.Text.Json.Nodes.JsonNode.Parse(part)!.AsObject())
        {
            schema[name] = value?.DeepClone();
        }

        InputSchemaRules.Faults(JsonElement.Parse(schema.ToJsonString()), "/input").ShouldNotBeEmpty();
    }

    /// <summary>A text of the file, its replacement, and the file and line that the refusal names.</summary>
    [Theory]
    [InlineData("slug: x-y", "slug: X Y", "block.yaml:1")]
    [InlineData("version: 1.0.0", "version: 1.0", "block.yaml:2")]
    [InlineData("version: 1.0.0", "version: 1.0.0-rc.1", "block.yaml:2")]
    [InlineData("effect: read", "effect: harmless", "block.yaml:5")]
    [InlineData("title: T", "title: T\nsecret: x", "block.yaml:4")]
    [InlineData("title: T\n", "", "block.yaml:1")]
    [InlineData("title: T\n", "title: [T\n", "block.yaml:3")]
    [InlineData("additionalProperties: false", "additionalProperties: true", "block.yaml:6")]
    [InlineData("run: \"1\"", "run: 1.5", "block.yaml:10")]
    [InlineData("run: \"1\"", "run: \"-1\"", "block.yaml:10")]
    [InlineData("run: \"1\"", "fee: \"1\"", "block.yaml:10")]
    [InlineData("artifacts: [a.txt]", "artifacts: [../a.txt]", "block.yaml:11")]
    [InlineData("view: { facts: [a] }", "view: { facts: [b] }", "block.yaml:14")]
    [InlineData("view: { facts: [a] }", "view: { table: b }", "block.yaml:14")]
    [InlineData("{ a: { type: integer } }", "{ a: { type: number, multipleOf: x } }", "block.yaml:13")]
    [InlineData("artifact: a.txt", "artifact: b.txt", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "# nothing", "platforms/frr.yml:2")]
    [InlineData("artifact: a.txt", "[]", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "- text", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "wanted: |\n  x\nwnated: x", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "wanted: [x]", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "refuse:\n- line: x", "platforms/frr.yml:2")]
    [InlineData("artifact: a.txt", "- debug: !unsafe x", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "tasks:\n- debug: {}\n- text", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "tasks: []", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "wanted: x\nexact: [x]", "platforms/frr.yml:2")]
    [InlineData("artifact: a.txt", "wanted: x\ntasks:\n- debug: {}", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "artifact: a.txt\nunwanted: x", "platforms/frr.yml:2")]
    [InlineData("artifact: a.txt", "restore: true", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "refuse:\n- { line: x, because: y }", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "lacks:\n- { at: /list/*/b, because: y }", "platforms/frr.yml:1")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks: []", "platforms/frr.yml:2")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- at: /list/*/b", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- { at: /list/*/b, because: y, then: z }", "platforms/frr.yml:3")]
    [InlineData(
        "artifact: a.txt", "wanted: x\nlacks:\n- { at: /list/*/b, because: y }\n- at: /list/0/b\n  because: y", "platforms/frr.yml:4")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- at: /none\n  because: y", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- at: list\n  because: y", "platforms/frr.yml:3")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- at: /list/*/b\n  because: y\n  when: { type: text }", "platforms/frr.yml:5")]
    [InlineData("artifact: a.txt", "wanted: x\nlacks:\n- at: /list/*/b\n  because: y\n  when: { enum: [1] }", "platforms/frr.yml:5")]
    [InlineData("properties: { list:", "login: [list, list], properties: { list:", "block.yaml:6")]
    [InlineData("properties: { list:", "login: [list], properties: { list:", "block.yaml:6")]
    [InlineData(
        "properties: { list:", "login: [u, s], properties: { u: { type: string }, s: { type: object, format: secret }, list:",
        "platforms/frr.yml:1")]
    public void Broken_block_is_refused_with_file_and_line(string good, string bad, string place)
    {
        const string manifest = """
            slug: x-y
            version: 1.0.0
            title: T
            summary: S
            effect: read
            input: { type: object, additionalProperties: false, properties: { list: { type: array, items: {
              type: object, additionalProperties: false, properties: { b: { type: integer } } } } } }
            prices:
              pay_per_use:
                apply: { run: "1" }
            artifacts: [a.txt]
            result:
              schema: { type: object, additionalProperties: false, properties: { a: { type: integer } } }
              view: { facts: [a] }
            """;
        const string part = "artifact: a.txt\n";
        BlockFolder.Read(Folder("x-y", ("block.yaml", manifest), ("platforms/frr.yml", part), ("README.md", "")), ["frr"])
            .Manifest.Prices!.Components().ApplyRun.ShouldBe(new Money(1_000_000));
        (manifest + part).ShouldContain(good);

        Should.Throw<ContentException>(() => BlockFolder.Read(
            Folder("x-y", ("block.yaml", manifest.Replace(good, bad)), ("platforms/frr.yml", part.Replace(good, bad)), ("README.md", "")),
            ["frr"]))
            .Message.ShouldStartWith($"x-y/{place}: ");
    }

    [Theory]
    [InlineData("", "", null)]
    [InlineData("restore: true", "restore: false", "x-y/platforms/frr.yml:1: /restore: ")]
    [InlineData("restore: true", "restore: true\nwanted: x", "x-y/platforms/frr.yml:2: /wanted: ")]
    [InlineData("restore: true", "wanted: x", "x-y/platforms/frr.yml:1: : ")]
    [InlineData("restore: true", "tasks:\n- debug: {}", "x-y/platforms/frr.yml:1: : ")]
    [InlineData("effect: transactional", "effect: idempotent", "x-y/platforms/frr.yml:1: : ")]
    [InlineData("required: [configId], ", "", "x-y/platforms/frr.yml:1: : ")]
    public void Block_that_restores_has_a_config_to_restore_and_no_other_form(string good, string bad, string? fault)
    {
        const string manifest = """
            slug: x-y
            version: 1.0.0
            title: T
            summary: S
            effect: transactional
            input: { type: object, additionalProperties: false, required: [configId], properties: {
              configId: { type: string, format: config } } }
            """;
        const string part = "restore: true\n";
        var folder = Folder(
            "x-y", ("block.yaml", good == "" ? manifest : manifest.Replace(good, bad)),
            ("platforms/frr.yml", good == "" ? part : part.Replace(good, bad)), ("README.md", ""));
        if (fault is null)
        {
            BlockFolder.Read(folder, ["frr"]).Platforms.ShouldBe(["frr"]);
        }
        else
        {
            Should.Throw<ContentException>(() => BlockFolder.Read(folder, ["frr"])).Message.ShouldStartWith(fault);
        }
    }

    [Fact]
    public void Block_for_a_platform_that_is_not_there_is_refused()
    {
        (string, string)[] files =
            [("block.yaml",
                "slug: x-y\nversion: 1.0.0\ntitle: T\nsummary: S\neffect: read\ninput: { type: object, additionalProperties: false }\n"),
                ("README.md", "")];

        Should.Throw<ContentException>(() => BlockFolder.Read(Folder("x-y", [.. files]), ["frr"])).Message.ShouldContain("platforms/");
        Should.Throw<ContentException>(() => BlockFolder.Read(Folder("x-y", [.. files, ("platforms/none.yml", "wanted: x")]), ["frr"]))
            .Message.ShouldStartWith("x-y/platforms/none.yml: ");
    }

    [Theory]
    [InlineData("name: abc", "name: other", 1)]
    [InlineData("version: 1.0.0", "version: 1", 2)]
    [InlineData("connection: network_cli", "connection: telnet", 4)]
    [InlineData("connection: network_cli", "connection: ssh", 5)]
    [InlineData("networkOs: a.b.c", "networkOs: abc", 5)]
    [InlineData("networkOs: a.b.c", "preload: []", 1)]
    [InlineData("port: 22", "port: 0", 6)]
    [InlineData("logins: [password]", "logins: []", 7)]
    [InlineData("logins: [password]", "logins: [token]", 7)]
    [InlineData("complete: ^end$", "complete: '('", 8)]
    [InlineData("  running: show", "  runing: show", 10)]
    [InlineData("indent: 1", "indent: 9", 12)]
    [InlineData("guard: soft", "guard: soft\nsecret: x", 14)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  loginSeconds: 121", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  commandSeconds: 241", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  errors: ['(']", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  noise: ['(']", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  modes: '('", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  questions: { '(': y }", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  pager: { keys: { '(': x } }", 15)]
    [InlineData("guard: soft", "guard: soft\nterminal:\n  pager: { off: x }", 15)]
    [InlineData("guard: soft", "guard: [", 14)]
    [InlineData("guard: soft", "guard: soft\nreserved: { banner: x }", 14)]
    [InlineData("guard: soft", "guard: soft\nreserved: { vrf: '(' }", 14)]
    [InlineData("guard: soft", "guard: soft\nreserved: { vrf: 'a(?=b)' }", 14)]
    public void Broken_platform_is_refused_with_file_and_line(string good, string bad, int line)
    {
        const string manifest = """
            name: abc
            version: 1.0.0
            title: T
            connection: network_cli
            networkOs: a.b.c
            port: 22
            logins: [password]
            complete: ^end$
            commands:
              running: show
              version: version
            grammar: { indent: 1, comment: "!", negation: "no " }
            guard: soft
            """;
        PlatformManifest.Read(Folder("abc", ("platform.yaml", manifest), ("README.md", ""))).Port.ShouldBe(22);
        manifest.ShouldContain(good);

        Should.Throw<ContentException>(
            () => PlatformManifest.Read(Folder("abc", ("platform.yaml", manifest.Replace(good, bad)), ("README.md", ""))))
            .Message.ShouldStartWith($"abc/platform.yaml:{line}: ");
    }

    [Fact]
    public void Text_that_a_platform_reserves_is_of_formats_that_inputs_have() =>
        PlatformManifest.Reservable.ShouldBeSubsetOf(Formats.Names);

    private static ContentFolder Folder(string name, params (string Path, string Text)[] files)
    {
        ContentFile[] content = [.. files.Select(file => new ContentFile(file.Path, Encoding.UTF8.GetBytes(file.Text)))];
        return new ContentFolder(name, ContentFolder.DigestOf(content), content);
    }
}
