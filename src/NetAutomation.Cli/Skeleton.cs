using NetAutomation.Content;

namespace NetAutomation.Cli;

/// <summary>
/// A block to begin with: where the platform takes lines, one that describes an interface; elsewhere one that hands the configuration over.
/// </summary>
internal static class Skeleton
{
    /// <summary>Writes the folder, which is not there yet.</summary>
    /// <exception cref="UsageException">It is, or there is no such platform.</exception>
    public static void Write(string folder, string? platform, Source source)
    {
        if (Directory.Exists(folder) || File.Exists(folder))
        {
            throw new UsageException($"{folder}: is there already");
        }

        var known = source.ReadPlatforms().Values.FirstOrDefault(each => platform is null ? each.Terminal : each.Version.Name == platform)
            ?? throw new UsageException($"{platform ?? "A terminal"}: no such platform in {source.Platforms}");
        var (slug, name) = (Path.GetFileName(folder), known.Version.Name);
        var files = known.Terminal ? Lines(slug, name, Indent(source, name)) : Text(slug, name);
        foreach (var (path, text) in files)
        {
            var file = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text + "\n");
        }
    }

    private static string Indent(Source source, string platform)
    {
        var yaml = ContentFolder.Read(Path.Combine(source.Platforms, platform)).Yaml("platform.yaml");
        return new string(' ', (int)yaml.Root!["grammar"]!["indent"]!.GetValue<long>());
    }

    private static (string Path, string Text)[] Lines(string slug, string platform, string indent) =>
    [
        ("block.yaml", $$"""
            slug: {{slug}}
            version: 1.0.0
            title: Description of an interface
            summary: Describes an interface and saves the configuration.
            effect: idempotent
            input:
              type: object
              additionalProperties: false
              required: [interface, description]
              properties:
                interface: { type: string, maxLength: 64, format: interface }
                description: { type: string, minLength: 1, maxLength: 200, format: description }
            result:
              schema:
                type: object
                additionalProperties: false
                required: [undo]
                properties:
                  configured: { type: array, items: { type: string } }
                  undo: { type: array, items: { type: string } }
                  verified: { type: string, enum: [effect, config] }
              view: { facts: [verified], table: configured }
            prices: # USD
              pay_per_use:
                apply: { run: "0.10", device: "0.05" }
                check: { run: "0", device: "0" }
            artifacts: []
            """),
        Readme(slug, platform, "| `interface` | its name |\n| `description` | what it is for |"),
        ($"platforms/{platform}.yml", $$$"""
            # Lines that must be there, as the device shows them.
            wanted: |
              interface {{ input.interface }}
              {{{indent}}}description {{ input.description }}
            """),
        ("cases/first.json", $$"""
            {
              "input": {"interface": "eth0", "description": "to the core"},
              "platforms": {
                "{{platform}}": {
                  "before": "interface eth0\n{{indent}}description old\n",
                  "plan": ["interface eth0", "{{indent}}description to the core"],
                  "undo": ["interface eth0", "{{indent}}description old"],
                  "after": "interface eth0\n{{indent}}description to the core\n"
                }
              }
            }
            """),
        ($"proofs/{platform}.yaml", $$"""
            before: |
              interface eth0
               description old
            input: { interface: eth0, description: to the core }
            change: |
              -{{indent}}description old
              +{{indent}}description to the core
            refused: { input: { interface: eth0, description: "two  blanks" }, at: /description }
            """),
    ];

    private static (string Path, string Text)[] Text(string slug, string platform) =>
    [
        ("block.yaml", $$"""
            slug: {{slug}}
            version: 1.0.0
            title: Configuration
            summary: Hands the configuration over.
            effect: read
            input: { type: object, additionalProperties: false, properties: {} }
            result:
              schema:
                type: object
                additionalProperties: false
                required: [lines, sha256]
                properties:
                  lines: { type: integer }
                  sha256: { type: string }
              view: { facts: [lines, sha256] }
            prices: # USD
              pay_per_use:
                apply: { run: "0.10", device: "0.05" }
            artifacts: [running-config.txt]
            """),
        Readme(slug, platform, "| none | |"),
        ($"platforms/{platform}.yml", "artifact: running-config.txt"),
        ($"proofs/{platform}.yaml", """
            input: {}
            result: { sha256: "~^[0-9a-f]{64}$" }
            refused: { input: { more: 1 }, at: /more }
            """),
    ];

    private static (string Path, string Text) Readme(string slug, string platform, string inputs) => ("README.md", $"""
        # {slug}

        What it does, in a sentence.

        | input | |
        |---|---|
        {inputs}

        ## Platforms

        - `{platform}`: what is particular there.
        """);
}
