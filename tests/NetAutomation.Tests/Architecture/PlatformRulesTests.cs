using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Content;
using NetAutomation.Platforms.Publish;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Architecture;

/// <summary>What a platform is stands in its folder, in src/Platforms, and nowhere else.</summary>
public sealed class PlatformRulesTests
{
    private static readonly string _root = PostgresServer.RepositoryRoot();

    public static TheoryData<string> Names() =>
        [.. Directory.GetDirectories($"{_root}/src/Platforms").Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_code_names_a_platform(string name)
    {
        string[] directories = ["src/NetAutomation", "src/NetAutomation.Cli", "src/NetAutomation.Connector", "src/Ansible"];
        var faults =
            from directory in directories
            from path in Directory.GetFiles($"{_root}/{directory}", "*", SearchOption.AllDirectories)
            where !path.Split('/').Any(part => part is "bin" or "obj" or "__pycache__")
            let found = Path.GetExtension(path) switch
            {
                ".cs" => Literal(name),
                ".py" or ".yml" or ".cfg" or ".sql" => Pattern($"{Literal(name)}|{Identifier(name)}"),
                _ => null,
            }
            where found is not null
            from line in File.ReadLines(path).Index()
            where found.IsMatch(Comment(path).Replace(line.Item, ""))
            select $"{Path.GetRelativePath(_root, path)}:{line.Index + 1}: {line.Item.Trim()}";

        faults.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("var a = \"NAME\";", true)]
    [InlineData("NAME_modules = {}", true)]
    [InlineData("x.NAME()", true)]
    [InlineData("\"ansible_collections.NAME.NAME\"", true)]
    [InlineData("rid = \"NAME-x64\"", false)]
    [InlineData("names = 1", false)]
    public void Rule_finds_names_in_code_and_leaves_other_words(string line, bool found) =>
        Pattern($"{Literal("acme")}|{Identifier("acme")}").IsMatch(line.Replace("NAME", "acme")).ShouldBe(found);

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Platform_has_both_halves(string name)
    {
        var folder = ContentFolder.Read($"{_root}/src/Platforms/{name}");
        var manifest = PlatformManifest.Read(folder);
        var seen = JsonNode.Parse(await Engine(
            $$"""
            import json, platforms
            d = '{{_root}}/src/Platforms/{{name}}'
            platforms.words(d)
            p = platforms.read(d)
            print(json.dumps({'platform': p, 'known': p['connection'] in platforms.CONNECTIONS, 'modules': platforms.modules(d)}))
            """))!;

        JsonNode.DeepEquals(seen["platform"], folder.Yaml("platform.yaml").Root)
            .ShouldBeTrue("the service and the engine read the file alike");
        seen["known"]!.GetValue<bool>().ShouldBeTrue("the engine has this connection");
        manifest.Name.ShouldBe(name);
        Directory.GetFiles($"{_root}/src/Blocks", $"{name}.yml", SearchOption.AllDirectories)
            .ShouldNotBeEmpty("at least one block runs on it");
        Assert.SkipUnless(File.Exists("/usr/bin/ansible-playbook"), "needs Ansible");
        await Engine(
            $"""
            import importlib, ansible.cli.playbook, ansible.plugins.loader
            [importlib.import_module(m) for m in {seen["modules"]!.ToJsonString()}]
            """);
    }

    private static async Task<string> Engine(string code)
    {
        using var process =
            Process.Start(
                new ProcessStartInfo(
                    "/usr/bin/python3", ["-B", "-c", $"import sys; sys.path.insert(0, '{_root}/src/Ansible/engine')\n{code}"])
                {
                    RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
                })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0, await errors);
        return await output;
    }

    private static Regex Literal(string name) => Pattern($"\"{name}\"|'{name}'");

    /// <summary>
    /// The name as a word, or as a part between underscores and dots. A hyphen after it makes another word, such as an architecture.
    /// </summary>
    private static Regex Identifier(string name) => Pattern($"(?<![A-Za-z0-9-]){name}(?![A-Za-z0-9-])");

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.None, TimeSpan.FromSeconds(1));

    /// <summary>Prose may say what it likes.</summary>
    private static Regex Comment(string path) =>
        Pattern(Path.GetExtension(path) is ".cs" ? "//.*$" : Path.GetExtension(path) is ".sql" ? "--.*$" : "#.*$");
}
