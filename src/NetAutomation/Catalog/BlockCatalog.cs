using Microsoft.EntityFrameworkCore;
using NetAutomation.Catalog.Model;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>Finds the block version a quote or run names.</summary>
internal sealed class BlockCatalog(PublishedFiles files)
{
    /// <param name="version">Exact (<c>1.2.0</c>), a major (<c>1</c>), or null for the newest.</param>
    /// <param name="major">With no <paramref name="version"/>: the newest of this major.</param>
    public async Task<Outcome<BlockVersion>> Find(
        NetAutomationDb db, string slug, string? version = null, int? major = null, CancellationToken cancel = default)
    {
        var rows = db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == slug);
        BlockVersionRow? found;
        if (version is not null && SemanticVersion.Read(version) is not null)
        {
            found = await rows.FirstOrDefaultAsync(row => row.Version == version, cancel);
        }
        else
        {
            var wanted = version is null ? major : SemanticVersion.Number(version) ?? -1;
            found = await rows.Where(row => row.State == VersionState.Published && (wanted == null || row.Major == wanted))
                .OrderByDescending(row => row.Major).ThenByDescending(row => row.Minor).ThenByDescending(row => row.Patch)
                    .FirstOrDefaultAsync(cancel);
        }

        if (found is null)
        {
            return await rows.AnyAsync(cancel)
                ? Web.Problems.Refused.At("/version", "unknown_version", "The block has no such version.")
                : Web.Problems.Refused.At("/block", "unknown_block", "There is no such block.");
        }

        if (found.State == VersionState.Withdrawn)
        {
            return Problems.VersionWithdrawn.At("/version", "version_withdrawn", "The version was withdrawn and starts no new run.");
        }

        var directory = await files.Unpacked(db, found.Digest, cancel)
            ?? throw new InvalidOperationException($"Block {slug} {found.Version} has no files.");
        return new BlockVersion(
            found.Slug, found.Version, found.Major, found.Digest, found.Effect, found.Platforms, found.Artifacts, directory,
            found.InputSchema);
    }
}
