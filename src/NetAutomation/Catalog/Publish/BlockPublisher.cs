using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Publish;

/// <summary>Publishes blocks.</summary>
internal static class BlockPublisher
{
    public static readonly ContentKind Kind = new("Catalog:BlocksDirectory", options => options.BlocksDirectory, Publish);

    /// <summary>
    /// Publishes every block folder that is not published yet, within the caller's transaction. Returns the reason for each folder that was
    /// refused.
    /// </summary>
    public static async Task<IReadOnlyList<string>> Publish(SystemDb db, string directory, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock({(long)AdvisoryLock.PublishBlocks})", cancel);
        var platforms = await PlatformCatalog.Names(db, cancel);
        var known = await db.Query<string>($"select digest from catalog.block_version", cancel);
        return await ContentFolder.Each(
            directory, content => known.Contains(content.Digest) ? Task.CompletedTask : Publish(db, content, platforms, cancel));
    }

    /// <summary>Publishes one version, beside those that are there, within the caller's transaction.</summary>
    /// <exception cref="ContentException">It may not be published.</exception>
    public static async Task<BlockFolder> Publish(SystemDb db, ContentFolder content, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock({(long)AdvisoryLock.PublishBlocks})", cancel);
        return await Publish(db, content, await PlatformCatalog.Names(db, cancel), cancel);
    }

    private static async Task<BlockFolder> Publish(
        SystemDb db, ContentFolder content, IReadOnlyCollection<string> platforms, CancellationToken cancel)
    {
        var folder = BlockFolder.Read(content, platforms);
        if (await PublishVersion(db, folder, cancel))
        {
            await PriceList.Publish(db, folder.Manifest.Slug, (folder.Manifest.Prices ?? new ManifestPrices()).Components(), cancel);
        }

        return folder;
    }

    /// <summary>
    /// Publishes the version where it is new. True where it is new and the block's newest: a replica that starts must not set the price
    /// back, nor offer again what the staff ended.
    /// </summary>
    private static async Task<bool> PublishVersion(SystemDb db, BlockFolder folder, CancellationToken cancel)
    {
        var (slug, version) = (folder.Manifest.Slug, folder.Manifest.Version);
        var number = SemanticVersion.Read(version)!.Value;
        var known = await db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == slug)
            .Select(row => new { row.Version, row.Digest, row.Major, row.Minor, row.Patch }).ToListAsync(cancel);
        if (known.Find(row => row.Version == version) is { } same)
        {
            folder.Content.MustBe(same.Digest, "block.yaml", version);
            return false;
        }

        await Insert(db, folder, number, cancel);
        return known.TrueForAll(row => (row.Major, row.Minor, row.Patch).CompareTo((number.Major, number.Minor, number.Patch)) <= 0);
    }

    private static async Task Insert(SystemDb db, BlockFolder folder, SemanticVersion number, CancellationToken cancel)
    {
        var manifest = folder.Manifest;
        await db.Execute(
            $"insert into catalog.block (slug, id) values ({manifest.Slug}, {Guid.CreateVersion7()}) on conflict do nothing", cancel);
        string[] platforms = [.. folder.Platforms];
        var result = manifest.Result is null ? null : JsonSerializer.Serialize(manifest.Result, Json.Api);
        var lacks = JsonSerializer.Serialize(folder.Lacks, Json.Api);
        await PublishedFiles.Store(db, folder.Content, cancel);
        await db.Execute(
            $"""
            insert into catalog.block_version
              (slug, version, major, minor, patch, digest, title, summary, effect, platforms, lacks, artifacts, input_schema, result,
               readme, state)
            values
              ({manifest.Slug}, {manifest.Version}, {number.Major}, {number.Minor}, {number.Patch}, {folder.Content.Digest},
               {manifest.Title}, {manifest.Summary}, {Wire.Name(manifest.Effect)}, {platforms}, {lacks}::jsonb,
               {manifest.Artifacts ?? []},
               {manifest.Input.GetRawText()}::jsonb, {result}::jsonb, {folder.Readme}, {Wire.Name(VersionState.Published)})
            """,
            cancel);
    }
}
