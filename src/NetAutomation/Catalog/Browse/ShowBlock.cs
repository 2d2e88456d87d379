using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Browse;

/// <summary>A block with all its versions, newest first.</summary>
/// <param name="Block">Name to use in purchases and runs.</param>
/// <param name="Title">For a person.</param>
/// <param name="Summary">What it does, in a sentence.</param>
/// <param name="Prices">What it costs you now; null where it is not on sale.</param>
/// <param name="Versions">Every version ever published.</param>
public sealed record BlockDetail(
    string Block, string Title, string Summary, BlockPrices? Prices, IReadOnlyList<BlockVersionSummary> Versions);

/// <summary>One version of a block.</summary>
/// <param name="Version">Semantic version.</param>
/// <param name="State"><c>published</c>; <c>deprecated</c>: runs where it is named; or <c>withdrawn</c>: starts no new run.</param>
/// <param name="Effect">What it may do to a device.</param>
/// <param name="Platforms">What it runs on.</param>
/// <param name="Digest">SHA-256 over its files.</param>
/// <param name="PublishedAt">When it came.</param>
public sealed record BlockVersionSummary(
    string Version, string State, Effect Effect, IReadOnlyList<string> Platforms, string Digest, DateTimeOffset PublishedAt);

internal static class ShowBlock
{
    /// <summary>One block and its versions.</summary>
    internal static async Task<Results<Ok<BlockDetail>, Problem>> Handle(string block, NetAutomationDb db, CancellationToken cancel)
    {
        var versions = await db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.Slug == block)
            .OrderByDescending(row => row.Major).ThenByDescending(row => row.Minor).ThenByDescending(row => row.Patch).ToListAsync(cancel);
        if (versions.Count == 0)
        {
            return Web.Problems.NotFound.With();
        }

        var newest = versions.Find(row => row.State == VersionState.Published) ?? versions[0];
        return TypedResults.Ok(new BlockDetail(
            block,
            newest.Title,
            newest.Summary,
            await PriceList.Current(db, block, cancel),
            [.. versions.Select(
                row => new BlockVersionSummary(
                    row.Version, Wire.Name(row.State), row.Effect, row.Platforms, row.Digest, row.PublishedAt))]));
    }
}
