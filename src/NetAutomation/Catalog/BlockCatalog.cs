using Microsoft.EntityFrameworkCore;
using NetAutomation.Catalog.Model;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>Finds the block version a quote or run names.</summary>
internal sealed class BlockCatalog(PublishedFiles files)
{
    /// <summary>A version that may start something new.</summary>
    /// <param name="version">Exact (<c>1.2.0</c>), a major (<c>1</c>), or null for the newest.</param>
    /// <param name="major">With no <paramref name="version"/>: the newest of this major.</param>
    public async Task<Outcome<BlockVersion>> Find(
        NetAutomationDb db, string slug, string? version = null, int? major = null, CancellationToken cancel = default)
    {
        var rows = db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == slug);
        var exact = version is not null && SemanticVersion.Read(version) is not null;
        var wanted = version is null ? major : SemanticVersion.Number(version) ?? -1;
        var fitting = exact ? rows.Where(row => row.Version == version) : rows.Where(row => wanted == null || row.Major == wanted);
        var found = await fitting.OrderBy(row => row.State == VersionState.Withdrawn)
            .ThenBy(row => row.State == VersionState.Deprecated).ThenByDescending(row => row.Major)
            .ThenByDescending(row => row.Minor).ThenByDescending(row => row.Patch).FirstOrDefaultAsync(cancel);
        if (found is null)
        {
            return await rows.AnyAsync(cancel)
                ? Web.Problems.Refused.At("/version", "unknown_version", "The block has no such version.")
                : Web.Problems.Refused.At("/block", "unknown_block", "There is no such block.");
        }

        if (found.State == VersionState.Withdrawn)
        {
            return Problems.VersionWithdrawn.At(
                "/version", "version_withdrawn",
                exact ? $"Version {version} was withdrawn and starts no new run."
                    : "Every such version was withdrawn and starts no new run, until a corrected one is published.");
        }

        return await Unpacked(db, found, cancel);
    }

    /// <summary>The version that a run was planned with, which may have been withdrawn since.</summary>
    public async Task<BlockVersion> Planned(NetAutomationDb db, string slug, string version, CancellationToken cancel) => await Unpacked(
        db, await db.Set<BlockVersionRow>().AsNoTracking().SingleAsync(row => row.Slug == slug && row.Version == version, cancel), cancel);

    private async Task<BlockVersion> Unpacked(NetAutomationDb db, BlockVersionRow row, CancellationToken cancel)
    {
        var directory = await files.Unpacked(db, row.Digest, cancel)
            ?? throw new InvalidOperationException($"Block {row.Slug} {row.Version} has no files.");
        return new BlockVersion(
            row.Slug, row.Version, row.Major, row.Digest, row.Effect, row.Platforms, row.Artifacts, directory, row.InputSchema,
            row.State == VersionState.Withdrawn);
    }
}
