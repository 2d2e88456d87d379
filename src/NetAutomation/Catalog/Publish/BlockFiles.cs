using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;

namespace NetAutomation.Catalog.Publish;

/// <summary>Unpacks published versions from the database into folders named by digest. A folder appears whole or not at all.</summary>
internal sealed class BlockFiles(IOptions<CatalogOptions> options) : IDisposable
{
    private readonly ConcurrentDictionary<string, string> _unpacked = new(StringComparer.Ordinal);

    private readonly Lazy<string> _root = new(() => options.Value.ContentDirectory is { } configured
        ? Directory.CreateDirectory(configured).FullName
        : Directory.CreateTempSubdirectory("netautomation-blocks-").FullName);

    public string Root => _root.Value;

    public async Task<string> Unpacked(NetAutomationDb db, BlockVersionRow version, CancellationToken cancel)
    {
        if (_unpacked.TryGetValue(version.Digest, out var known))
        {
            return known;
        }

        var target = Path.Combine(_root.Value, version.Digest.Replace(':', '-'));
        if (!Directory.Exists(target))
        {
            await Unpack(db, version, target, cancel);
        }

        _unpacked[version.Digest] = target;
        return target;
    }

    public void Dispose()
    {
        if (options.Value.ContentDirectory is null && _root.IsValueCreated)
        {
            Directory.Delete(_root.Value, recursive: true);
        }
    }

    private async Task Unpack(NetAutomationDb db, BlockVersionRow version, string target, CancellationToken cancel)
    {
        var files = await db.Set<BlockFile>().AsNoTracking().Where(file => file.Slug == version.Slug && file.Version == version.Version).ToListAsync(cancel);
        var digest = BlockFolder.DigestOf(files.Select(file => (file.Path, file.Content)));
        if (digest != version.Digest)
        {
            throw new InvalidOperationException($"Block {version.Slug} {version.Version} is stored with digest {digest}, not {version.Digest}.");
        }

        var building = Path.Combine(_root.Value, $".{Guid.NewGuid():n}");
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
    }
}
