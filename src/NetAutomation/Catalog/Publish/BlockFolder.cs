using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;

namespace NetAutomation.Catalog.Publish;

/// <summary>
/// A block on disk: <c>block.yaml</c>, <c>README.md</c>, and a file <c>platforms/NAME.yml</c> for each platform that it supports.
/// docs/blocks.md describes them.
/// </summary>
internal sealed record BlockFolder(
    BlockManifest Manifest, IReadOnlyList<string> Platforms, IReadOnlyList<BlockLack> Lacks, string Readme, ContentFolder Content)
{
    private const string Parts = "platforms/";
    private const string Restore = "restore";
    private static readonly string[] _templates = ["wanted", "unwanted"];

    private static readonly string[] _lines = [.. _templates, "exact", "initial", "refuse"];

    /// <param name="platforms">The names of all platforms.</param>
    /// <exception cref="ContentException">The folder is not a block that may be published.</exception>
    public static BlockFolder Read(ContentFolder folder, IReadOnlyCollection<string> platforms)
    {
        var manifest = BlockManifest.Read(folder);
        Compile(folder, "/input", manifest.Input);
        if (manifest.Result is { } result)
        {
            Compile(folder, "/result/schema", result.Schema);
        }

        var parts = folder.Files.Where(file => file.Path.StartsWith(Parts, StringComparison.Ordinal)).Select(file => file.Path).ToList();
        if (parts.Count == 0)
        {
            throw folder.Fault(Parts, 0, "a file for each platform is needed, at least one");
        }

        foreach (var part in parts)
        {
            Check(folder, part, manifest);
            if (Path.GetExtension(part) != ".yml" || !platforms.Contains(Platform(part)))
            {
                throw folder.Fault(
                    part, 0, $"there is no such platform: the files are named for some of {string.Join(", ", platforms)}, and end in .yml");
            }
        }

        return new BlockFolder(
            manifest, [.. parts.Select(Platform)], [.. parts.SelectMany(part => LacksOf(folder, part))], folder.Text("README.md"), folder);
    }

    private static void Compile(ContentFolder folder, string at, JsonElement schema)
    {
        try
        {
            InputSchema.Read(schema.GetRawText());
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException or InvalidOperationException or JsonException)
        {
            throw folder.Fault("block.yaml", folder.Yaml("block.yaml").LineOf(at), $"{at}: {fault.Message}");
        }
    }

    private static IEnumerable<BlockLack> LacksOf(ContentFolder folder, string part) =>
        Lack.Read(folder.Yaml(part).Root).Select(lack => new BlockLack(Platform(part), lack.At, lack.Because, lack.When?.Text));

    private static string Platform(string part) => Path.GetFileNameWithoutExtension(part);

    /// <summary>
    /// A list holds tasks. An object holds configuration lines, the name of the artifact that stores the configuration, or tasks, and what
    /// of the input the platform cannot do.
    /// </summary>
    private static void Check(ContentFolder folder, string path, BlockManifest manifest)
    {
        var yaml = folder.Yaml(path);
        var login = manifest.Input.TryGetProperty(Relations.Login, out _);
        IEnumerable<(string Pointer, string Reason)> faults = yaml.Root switch
        {
            var root when login && (root as JsonObject)?.ContainsKey("wanted") != true => [("", "a login is given by wanted lines")],
            var root when Formats.Restores(manifest.Input) != ((root as JsonObject)?.ContainsKey(Restore) == true) =>
                [("", $"{Restore} is for a block whose input has {Formats.Restored}, of the format {Formats.Config}, and no other")],
            JsonObject when Formats.Restores(manifest.Input) && !MayRestore(manifest) =>
                [("", $"a block that restores is transactional, and needs {Formats.Restored}")],
            JsonArray { Count: > 0 } tasks => Faults(tasks, ""),
            JsonObject { Count: > 0 } part =>
                [.. part.SelectMany(member => Faults(member.Key, member.Value, manifest)), .. OfOneForm(part)],
            _ =>
            [
                ("", "a list of tasks, or an object with wanted, unwanted, exact, initial and refuse, with artifact, tasks or restore"),
            ],
        };
        foreach (var (pointer, reason) in faults.Take(1))
        {
            throw folder.Fault(path, yaml.LineOf(pointer), $"{pointer}: {reason}");
        }
    }

    private static bool MayRestore(BlockManifest manifest) => manifest.Effect == Effect.Transactional
        && manifest.Input.TryGetProperty("required", out var required)
        && required.EnumerateArray().Any(name => name.ValueEquals(Formats.Restored));

    private static IEnumerable<(string Pointer, string Reason)> OfOneForm(JsonObject part)
    {
        var form = part.Select(member => member.Key).FirstOrDefault(name => name != Lack.Member) is not { } first ? []
            : _lines.Contains(first) ? _lines : [first];
        return form.Any(name => name is not ("exact" or "initial" or "refuse") && part.ContainsKey(name))
            ? part.Where(member => member.Key != Lack.Member && !form.Contains(member.Key))
                .Select(member => (
                    $"/{member.Key}", $"the file has {form.First(part.ContainsKey)} already: it is lines, an artifact, tasks or a restore"))
            : [("", "wanted, unwanted, artifact, tasks or restore is needed")];
    }

    private static IEnumerable<(string Pointer, string Reason)> Faults(string name, JsonNode? value, BlockManifest manifest) => name switch
    {
        "artifact" when !(IsText(value) && manifest.Artifacts?.Contains(value!.GetValue<string>(), StringComparer.Ordinal) == true) =>
            [("/artifact", "one of the artifacts that block.yaml names")],
        "artifact" => [],
        Restore when value?.GetValueKind() == JsonValueKind.True => [],
        Restore => [($"/{Restore}", "true")],
        "tasks" => value is JsonArray { Count: > 0 } tasks ? Faults(tasks, "/tasks") : [("/tasks", "a list of tasks")],
        "refuse" when value is JsonArray rules
            && rules.All(rule => rule is JsonObject { Count: 2 } and var both
                && IsText(both["line"] ?? both["unless"]) && IsText(both["because"])) => [],
        "refuse" => [("/refuse", "a list of objects with line or unless, a regular expression, and because")],
        Lack.Member when value is JsonArray { Count: > 0 } lacks =>
            lacks.Index().SelectMany(lack => Faults(lack.Index, lack.Item, manifest)),
        Lack.Member => [($"/{Lack.Member}", "a list of objects with at, because and perhaps when")],
        "initial" when value is JsonArray settings && settings.All(IsText) => [],
        "initial" => [("/initial", "a list of settings of the platform's grammar")],
        "exact" when IsText(value) => [],
        "exact" => [("/exact", "a group of the platform's grammar")],
        _ when !_templates.Contains(name, StringComparer.Ordinal) => [($"/{name}", "no such member")],
        _ when !IsText(value) => [($"/{name}", "a template of configuration lines")],
        _ => [],
    };

    private static IEnumerable<(string Pointer, string Reason)> Faults(JsonArray tasks, string at) =>
        tasks.Index().Where(task => task.Item is not JsonObject).Select(task => ($"{at}/{task.Index}", "a task is an object"));

    private static IEnumerable<(string Pointer, string Reason)> Faults(int index, JsonNode? lack, BlockManifest manifest)
    {
        var at = $"/{Lack.Member}/{index}";
        if (lack is not JsonObject members || !IsText(members["at"]) || !IsText(members["because"])
            || members.Any(member => member.Key is not ("at" or "because" or "when")))
        {
            return [(at, "an object with at, because and perhaps when")];
        }

        return Lack.Describes(manifest.Input, $"{members["at"]}")
            ? members["when"] is { } when ? InputSchemaRules.FaultsOfValue(JsonSerializer.SerializeToElement(when), $"{at}/when") : []
            : [($"{at}/at", "the pointer of a member that the input has, with * for each item of a list")];
    }

    private static bool IsText(JsonNode? value) => value?.GetValueKind() == JsonValueKind.String;
}
