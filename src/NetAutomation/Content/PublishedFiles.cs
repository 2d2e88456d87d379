using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Content;

/// <summary>
/// Keeps the files of published folders in the database and unpacks them into directories named by digest, so that a worker runs the pinned
/// version, whatever its own disk holds. A directory appears whole or not at all.
/// </summary>
internal sealed class PublishedFiles(IOptions<ContentOptions> options) : IDisposable
{
    private readonly ConcurrentDictionary<string, string> _unpacked = new(StringComparer.Ordinal);

    private readonly Lazy<string> _root = new(() => options.Value.ContentDirectory is not { } configured
        ? Passable(Directory.CreateTempSubdirectory("netautomation-content-"))
        : Directory.Exists(configured) ? Path.GetFullPath(configured) : Passable(Directory.CreateDirectory(configured)));

    /// <summary>The directory that holds the unpacked directories.</summary>
    public string Root => _root.Value;

    public static async Task Store(NetAutomationDb db, ContentFolder folder, CancellationToken cancel)
    {
        string[] paths = [.. folder.Files.Select(file => file.Path)];
        byte[][] contents = [.. folder.Files.Select(file => file.Content)];
        await db.Execute(
            $"""
            insert into content.file (digest, path, content) select {folder.Digest}, p, c from unnest({paths}, {contents}) as f (p, c)
            on conflict do nothing
            """,
            cancel);
    }

    /// <summary>
    /// Where this process holds the files, byte for byte as published; null where nothing was published under the digest.
    /// </summary>
    /// <param name="forAll">Every user of the host may read them: sandboxes run as others than this process does.</param>
    public async Task<string?> Unpacked(NetAutomationDb db, string digest, CancellationToken cancel, bool forAll = false)
    {
        if (_unpacked.TryGetValue(digest, out var known))
        {
            return known;
        }

        var target = Path.Combine(Root, digest.Replace(':', '-'));
        if (!Directory.Exists(target) && !await Unpack(db, digest, target, cancel))
        {
            return null;
        }

        if (forAll)
        {
            Open(target);
        }

        return _unpacked[digest] = target;
    }

    public void Dispose()
    {
        if (options.Value.ContentDirectory is null && _root.IsValueCreated)
        {
            Directory.Delete(_root.Value, recursive: true);
        }
    }

    /// <summary>Others may pass through, but not list it.</summary>
    private static string Passable(DirectoryInfo directory)
    {
        directory.UnixFileMode = (UnixFileMode)0b111_001_001;
        return directory.FullName;
    }

    private static void Open(string folder)
    {
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
            .Prepend(new DirectoryInfo(folder)))
        {
            var needed = entry.UnixFileMode | (entry is DirectoryInfo ? (UnixFileMode)0b101_101_101 : (UnixFileMode)0b100_100_100);
            if (entry.UnixFileMode != needed)
            {
                entry.UnixFileMode = needed;
            }
        }
    }

    private async Task<bool> Unpack(NetAutomationDb db, string digest, string target, CancellationToken cancel)
    {
        var files = await db.Query<ContentFile>($"select path, content from content.file where digest = {digest}", cancel);
        if (files.Count == 0)
        {
            return false;
        }

        if (ContentFolder.DigestOf(files) is var stored && stored != digest)
        {
            throw new InvalidOperationException($"The files of {digest} have the digest {stored}.");
        }

        var building = Path.Combine(Root, $".{Guid.NewGuid():n}");
        Directory.CreateDirectory(building, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var file in files)
        {
            var path = Path.Combine(building, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, file.Content, cancel);
        }

        try
        {
            Directory.Move(building, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            Directory.Delete(building, recursive: true);
        }

        return true;
    }
}
