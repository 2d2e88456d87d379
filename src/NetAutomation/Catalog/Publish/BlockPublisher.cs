using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Publish;

/// <summary>Publishes the blocks this process ships with, at start. Any number of processes may do so at once.</summary>
internal sealed partial class BlockPublisher(IServiceScopeFactory scopes, IOptions<ContentOptions> options, ILogger<BlockPublisher> log)
    : IHostedService
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
        foreach (var refusal in await Publish(db, directory, cancellationToken))
        {
            Log.Refused(log, refusal);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Publishes every block folder that is not published yet, and the prices of the newest versions, within the caller's transaction.
    /// Returns why folders were refused.
    /// </summary>
    public static async Task<IReadOnlyList<string>> Publish(SystemDb db, string directory, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock(7205759404)", cancel);
        var platforms = await PlatformCatalog.Names(db, cancel);
        return await ContentFolder.Each(directory, async content =>
        {
            var folder = BlockFolder.Read(content, platforms);
            if (await Newest(db, folder, cancel))
            {
                await PriceList.Publish(db, folder.Manifest.Slug, (folder.Manifest.Prices ?? new ManifestPrices()).Components(), cancel);
            }
        });
    }

    /// <summary>
    /// True where the folder is the block's newest version: an older replica, still starting, must not set the price back.
    /// </summary>
    private static async Task<bool> Newest(SystemDb db, BlockFolder folder, CancellationToken cancel)
    {
        var (slug, version) = (folder.Manifest.Slug, folder.Manifest.Version);
        var number = SemanticVersion.Read(version)!.Value;
        var known = await db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == slug)
            .Select(row => new { row.Version, row.Digest, row.Major, row.Minor, row.Patch }).ToListAsync(cancel);
        if (known.Find(row => row.Version == version) is { } same)
        {
            folder.Content.MustBe(same.Digest, "block.yaml", version);
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

        string[] platforms = [.. folder.Platforms];
        var result = manifest.Result is null ? null : JsonSerializer.Serialize(manifest.Result, Json.Api);
        await PublishedFiles.Store(db, folder.Content, cancel);
        await db.Execute(
            $"""
            insert into catalog.block_version
              (slug, version, major, minor, patch, digest, title, summary, effect, platforms, artifacts, input_schema, result, readme, state)
            values
              ({manifest.Slug}, {manifest.Version}, {number.Major}, {number.Minor}, {number.Patch}, {folder.Content.Digest}, {manifest.Title}, {manifest.Summary},
               {Wire.Name(manifest.Effect)}, {platforms}, {manifest.Artifacts ?? []}, {manifest.Input.GetRawText()}::jsonb, {result}::jsonb,
               {folder.Readme},
               {Wire.Name(VersionState.Published)})
            """,
            cancel);
    }

    private static partial class Log
    {
        [LoggerMessage(401, LogLevel.Warning, "Catalog:BlocksDirectory is not set: this process publishes no blocks")]
        public static partial void Nothing(ILogger logger);

        [LoggerMessage(402, LogLevel.Error, "A block is not published, and what was published before goes on: {Refusal}")]
        public static partial void Refused(ILogger logger, string refusal);
    }
}
