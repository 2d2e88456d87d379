using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Catalog.Publish;
using NetAutomation.Content;
using NetAutomation.Platforms;
using NetAutomation.Platforms.Publish;
using NetAutomation.Web;

namespace NetAutomation.Cli;

/// <summary>Where engine, blocks and platforms lie.</summary>
internal sealed record Source(string Ansible, string Blocks, string Platforms)
{
    public static Source BesideTheProgram { get; } = new(Beside("ansible"), Beside("blocks"), Beside("platforms"));

    /// <summary>The folders of all platforms that may be published, by name.</summary>
    /// <exception cref="ContentException">One may not.</exception>
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

/// <summary>A platform of a directory.</summary>
/// <param name="Terminal">It is configured in a terminal, line by line, and not by commands of a shell.</param>
internal sealed record Platform(PlatformVersion Version, bool Terminal)
{
    /// <exception cref="ContentException">The folder is not a platform that may be published.</exception>
    public static Platform Read(string directory)
    {
        var folder = ContentFolder.Read(Path.GetFullPath(directory));
        var manifest = PlatformManifest.Read(folder);
        return new Platform(
            new PlatformVersion(
                manifest.Name, folder.Digest, manifest.Title, Wire.Name(manifest.Connection), manifest.Port,
                [.. manifest.Logins.Select(Wire.Name)], Wire.Name(manifest.Guard),
                JsonSerializer.SerializeToElement(manifest.Reserved ?? [])),
            manifest.Connection != Connection.Ssh);
    }
}

/// <summary>A block of a directory, as it would be published.</summary>
internal sealed record Block(string Directory, BlockFolder Folder, BlockVersion Version)
{
    /// <exception cref="ContentException">The folder is not a block that may be published.</exception>
    public static Block Read(string directory, IReadOnlyCollection<string> platforms)
    {
        var folder = BlockFolder.Read(ContentFolder.Read(directory), platforms);
        var manifest = folder.Manifest;
        return new Block(directory, folder, new BlockVersion(
            manifest.Slug, manifest.Version, SemanticVersion.Read(manifest.Version)!.Value.Major, folder.Content.Digest, manifest.Effect,
            folder.Platforms, manifest.Artifacts ?? [], directory, manifest.Input.GetRawText(), Withdrawn: false));
    }
}

/// <summary>The program is called in a way that it does not know.</summary>
internal sealed class UsageException(string message) : Exception(message);
