using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Catalog;
using NetAutomation.Catalog.Publish;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Platforms;
using NetAutomation.Platforms.Publish;
using NetAutomation.Web;

namespace NetAutomation.Cli;

/// <summary>Where engine, blocks and platforms lie.</summary>
internal sealed record Source(string Ansible, string Blocks, string Platforms)
{
    public static Source BesideTheProgram { get; } = new(Beside("ansible"), Beside("blocks"), Beside("platforms"));

    /// <summary>The platforms, by name.</summary>
    /// <exception cref="ContentException">One cannot be read.</exception>
    public IReadOnlyDictionary<string, Platform> ReadPlatforms() =>
        Directory.EnumerateDirectories(Platforms).Order(StringComparer.Ordinal).Select(Platform.Read)
            .ToDictionary(platform => platform.Version.Name, StringComparer.Ordinal);

    /// <summary>The folders that are named, or all blocks.</summary>
    /// <exception cref="UsageException">A folder is not there.</exception>
    public IReadOnlyList<string> Folders(IReadOnlyList<string> named) =>
        named.FirstOrDefault(folder => !Directory.Exists(folder)) is { } missing ? throw new UsageException($"{missing}: no such folder")
        : named.Count > 0 ? [.. named.Select(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))]
        : Directory.Exists(Blocks) ? [.. Directory.EnumerateDirectories(Path.GetFullPath(Blocks)).Order(StringComparer.Ordinal)]
        : throw new UsageException($"{Blocks}: no such folder");

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);
}

/// <summary>A platform of a directory: what a proof needs of it. Whether it may be published, lint says.</summary>
/// <param name="Terminal">It is configured in a terminal, line by line, and not by commands of a shell.</param>
/// <param name="Sessions">What is typed takes effect together, or not at all.</param>
internal sealed record Platform(PlatformVersion Version, bool Terminal, bool Sessions)
{
    /// <exception cref="ContentException">It cannot be read.</exception>
    public static Platform Read(string directory)
    {
        var folder = ContentFolder.Read(Path.GetFullPath(directory));
        var yaml = folder.Yaml("platform.yaml").Root as JsonObject ?? throw folder.Fault("platform.yaml", 0, "an object");
        var connection = $"{yaml["connection"]}";
        return new Platform(
            new PlatformVersion(
                folder.Name, folder.Digest, $"{yaml["title"]}", connection, Port: 22, Logins: [], $"{yaml["guard"]}", Shell: false,
                JsonSerializer.SerializeToElement(yaml["reserved"] ?? new JsonObject())),
            connection != Wire.Name(Connection.Ssh),
            yaml["commands"]?["abort"] is not null);
    }
}

/// <summary>A block of a directory: what a proof needs of it. Whether it may be published, lint says.</summary>
internal sealed record Block(BlockManifest Manifest, ContentFolder Content, BlockVersion Version)
{
    /// <summary>It changes configurations, and says how to take that back.</summary>
    public bool Configures { get; } = Manifest.Result?.Schema.GetProperty("properties").TryGetProperty("undo", out _) == true;

    /// <summary>It gives a device a configuration that it had.</summary>
    public bool Restores { get; } = Formats.Restores(Manifest.Input);

    /// <exception cref="ContentException">It cannot be read.</exception>
    public static Block Read(string directory)
    {
        var folder = ContentFolder.Read(directory);
        var manifest = BlockManifest.Read(folder);
        string[] platforms =
        [
            .. folder.Files.Where(file => Path.GetDirectoryName(file.Path) == "platforms" && Path.GetExtension(file.Path) == ".yml")
                .Select(file => Path.GetFileNameWithoutExtension(file.Path)),
        ];
        return new Block(manifest, folder, new BlockVersion(
            manifest.Slug, manifest.Version, SemanticVersion.Read(manifest.Version)!.Value.Major, folder.Digest, manifest.Effect, platforms,
            manifest.Artifacts ?? [], directory, manifest.Input.GetRawText(), Withdrawn: false));
    }
}

/// <summary>The program is called in a way that it does not know.</summary>
internal sealed class UsageException(string message) : Exception(message);
