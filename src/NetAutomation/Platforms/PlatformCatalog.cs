using System.Collections.Immutable;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Platforms.Publish;

namespace NetAutomation.Platforms;

/// <summary>The published platforms. No other class knows which platforms exist.</summary>
internal sealed class PlatformCatalog(PublishedFiles files, TimeProvider clock)
{
    private static readonly TimeSpan _fresh = TimeSpan.FromSeconds(5);
    private (long At, Dictionary<string, string> Digests)? _newest;

    /// <summary>The directory that holds every unpacked folder.</summary>
    public string Root => files.Root;

    /// <summary>The newest version of each platform, in order of name.</summary>
    public static async Task<IReadOnlyList<PlatformVersion>> All(NetAutomationDb db, CancellationToken cancel) =>
        await db.Query<PlatformVersion>(
        $"""
        select distinct on (name) name, digest, title, connection, port, logins, guard from platforms.platform_version
        order by name, major desc, minor desc, patch desc
        """,
        cancel);

    /// <summary>The names that a device or a block may use.</summary>
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
    /// The digests of these platforms' newest versions by name. One that was published a few seconds ago may not be among them yet.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, string>> Pin(NetAutomationDb db, IEnumerable<string> names, CancellationToken cancel)
    {
        if (_newest is not var (at, digests) || clock.GetElapsedTime(at) > _fresh)
        {
            digests = (await All(db, cancel)).ToDictionary(platform => platform.Name, platform => platform.Digest, StringComparer.Ordinal);
            _newest = (clock.GetTimestamp(), digests);
        }

        return names.Distinct(StringComparer.Ordinal).Where(digests.ContainsKey)
            .ToImmutableSortedDictionary(name => name, name => digests[name], StringComparer.Ordinal);
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
    public Task<string?> Directory(NetAutomationDb db, string digest, CancellationToken cancel) => files.Unpacked(db, digest, cancel);
}
