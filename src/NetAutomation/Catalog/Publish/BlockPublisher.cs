using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Publish;

/// <summary>Publishes the blocks this process ships with, at start. Any number of processes may do so at once.</summary>
internal sealed partial class BlockPublisher(IServiceScopeFactory scopes, IOptions<CatalogOptions> options, ILogger<BlockPublisher> log) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.BlocksDirectory is not { } directory)
        {
            Log.Nothing(log);
            return;
        }

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await Publish(db, directory, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Publishes every block folder that is not published yet, and the prices of the newest versions, within the caller's transaction.</summary>
    /// <exception cref="FormatException">A folder is not a block.</exception>
    /// <exception cref="InvalidOperationException">A version was published with other content.</exception>
    public static async Task Publish(SystemDb db, string directory, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock(7205759404)", cancel);
        foreach (var folder in Directory.EnumerateDirectories(Path.GetFullPath(directory)).Order(StringComparer.Ordinal).Select(BlockFolder.Read))
        {
            var manifest = folder.Manifest;
            if (await Newest(db, folder, cancel))
            {
                await PriceList.Publish(db, manifest.Slug, (manifest.Prices ?? new ManifestPrices()).Components(), cancel);
            }
        }
    }

    /// <summary>True where the folder is the block's newest version: an older replica, still starting, must not set the price back.</summary>
    private static async Task<bool> Newest(SystemDb db, BlockFolder folder, CancellationToken cancel)
    {
        var (slug, version) = (folder.Manifest.Slug, folder.Manifest.Version);
        var number = SemanticVersion.Read(version)!.Value;
        var known = await db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == slug)
            .Select(row => new { row.Version, row.Digest, row.Major, row.Minor, row.Patch }).ToListAsync(cancel);
        if (known.Find(row => row.Version == version) is { } same)
        {
            if (same.Digest != folder.Digest)
            {
                throw new InvalidOperationException(
                    $"Block {slug} {version} was published as {same.Digest} and is immutable; the folder holds {folder.Digest}. Raise its version.");
            }
        }
        else
        {
            await Insert(db, folder, number, isFirst: known.Count == 0, cancel);
        }

        return known.TrueForAll(row => (row.Major, row.Minor, row.Patch).CompareTo((number.Major, number.Minor, number.Patch)) <= 0);
    }

    private static async Task Insert(SystemDb db, BlockFolder folder, SemanticVersion number, bool isFirst, CancellationToken cancel)
    {
        var manifest = folder.Manifest;
        if (isFirst)
        {
            await db.Execute($"insert into catalog.block (slug, id) values ({manifest.Slug}, {Guid.CreateVersion7()})", cancel);
        }

        await db.Execute(
            $"""
            insert into catalog.block_version
              (slug, version, major, minor, patch, digest, title, summary, effect, platforms, artifacts, input_schema, readme, state)
            values
              ({manifest.Slug}, {manifest.Version}, {number.Major}, {number.Minor}, {number.Patch}, {folder.Digest}, {manifest.Title}, {manifest.Summary},
               {Wire.Name(manifest.Effect)}, {manifest.Platforms}, {manifest.Artifacts ?? []}, {manifest.Input.GetRawText()}::jsonb, {folder.Readme},
               {Wire.Name(VersionState.Published)})
            """,
            cancel);
        foreach (var (path, content) in folder.Files)
        {
            await db.Execute(
                $"insert into catalog.block_file (slug, version, path, content) values ({manifest.Slug}, {manifest.Version}, {path}, {content})", cancel);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(401, LogLevel.Warning, "Catalog:BlocksDirectory is not set: this process publishes no blocks")]
        public static partial void Nothing(ILogger logger);
    }
}
