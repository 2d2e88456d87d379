using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Platforms.Publish;

namespace NetAutomation.Platforms;

/// <summary>The published platforms. No other class knows which platforms exist.</summary>
internal sealed class PlatformCatalog(PublishedFiles files, TimeProvider clock)
{
    private static readonly TimeSpan _fresh = TimeSpan.FromSeconds(5);
    private (long At, Dictionary<string, PlatformVersion> Versions)? _newest;

    /// <summary>The newest version of each platform, in order of name.</summary>
    public static async Task<IReadOnlyList<PlatformVersion>> All(NetAutomationDb db, CancellationToken cancel) =>
        await db.Query<PlatformVersion>(
        $"""
        select distinct on (name) name, digest, title, connection, port, logins, guard, shell, reserved
        from platforms.platform_version
        order by name, major desc, minor desc, patch desc
        """,
        cancel);

    /// <summary>The names that a block may use.</summary>
    public static async Task<IReadOnlyList<string>> Names(NetAutomationDb db, CancellationToken cancel) =>
        await db.Query<string>($"select distinct name from platforms.platform_version order by 1", cancel);

    /// <summary>The names of the platforms in a directory that may be published, and the reasons why others may not.</summary>
    public static async Task<(IReadOnlyList<string> Names, IReadOnlyList<string> Refusals)> Check(string directory)
    {
        var names = new List<string>();
        var refusals = await ContentFolder.Each(directory, folder =>
        {
            names.Add(PlatformManifest.Read(folder).Name);
            return Task.CompletedTask;
        });
        return (names, refusals);
    }

    /// <summary>
    /// The newest versions of these platforms, in order of name. One that was published a few seconds ago may not be among them yet.
    /// </summary>
    public async Task<IReadOnlyList<PlatformVersion>> Pin(NetAutomationDb db, IEnumerable<string> names, CancellationToken cancel)
    {
        if (_newest is not var (at, versions) || clock.GetElapsedTime(at) > _fresh)
        {
            versions = (await All(db, cancel)).ToDictionary(platform => platform.Name, StringComparer.Ordinal);
            _newest = (clock.GetTimestamp(), versions);
        }

        return [.. names.Distinct(StringComparer.Ordinal).Where(versions.ContainsKey).Order(StringComparer.Ordinal)
            .Select(name => versions[name])];
    }

    /// <summary>The directories of the newest versions.</summary>
    public async Task<IReadOnlyList<string>> Newest(NetAutomationDb db, CancellationToken cancel)
    {
        var directories = new List<string>();
        foreach (var platform in await All(db, cancel))
        {
            directories.Add((await Directory(db, platform.Digest, cancel))!);
        }

        return directories;
    }

    /// <summary>Where this process holds the platform's files; null where this digest was never published.</summary>
    public Task<string?> Directory(NetAutomationDb db, string digest, CancellationToken cancel) =>
        files.Unpacked(db, digest, cancel, forAll: true);
}
