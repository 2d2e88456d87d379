using System.ComponentModel;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Browse;

/// <summary>A block on offer, as its newest version.</summary>
/// <param name="Block">Name to use in purchases and runs.</param>
/// <param name="Title">For a person.</param>
/// <param name="Summary">What it does, in a sentence.</param>
/// <param name="Version">The newest version.</param>
/// <param name="Effect">What it may do to a device.</param>
/// <param name="Platforms">What it runs on.</param>
/// <param name="Prices">What it costs you now; null where it is not on sale.</param>
public sealed record BlockSummary(
    string Block, string Title, string Summary, string Version, Effect Effect, IReadOnlyList<string> Platforms, BlockPrices? Prices);

/// <summary>Which blocks are wanted.</summary>
public sealed record BlockFilter(
    [property: Description("Only blocks for this platform.")] string? Platform = null,
    [property: Description("Only blocks of this effect: read, idempotent, transactional, unsafe.")] string? Effect = null,
    [property: Description("Words in the name, title or summary.")] string? Search = null);

internal static partial class ListBlocks
{
    /// <summary>The blocks on offer.</summary>
    internal static async Task<Results<Ok<Page<BlockSummary>>, Problem>> Handle(
        [AsParameters] BlockFilter filter, [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel)
    {
        Effect? effect = null;
        if (filter.Effect is not null)
        {
            if (!Wire.TryValue<Effect>(filter.Effect, out var wanted))
            {
                return Web.Problems.Refused.At("/effect", "enum", "The effect is read, idempotent, transactional or unsafe.");
            }

            effect = wanted;
        }

        var pattern = filter.Search is null ? null : $"%{Wildcard().Replace(filter.Search, @"\$0")}%";
        var versions = db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.State == VersionState.Published);
        var rows =
            from block in db.Set<Block>().AsNoTracking()
            from newest in versions.Where(row => row.Slug == block.Slug)
                .OrderByDescending(row => row.Major).ThenByDescending(row => row.Minor).ThenByDescending(row => row.Patch).Take(1)
            where filter.Platform == null || newest.Platforms.Contains(filter.Platform)
            where effect == null || newest.Effect == effect
            where pattern == null || EF.Functions.ILike(newest.Slug + " " + newest.Title + " " + newest.Summary, pattern, "\\")
            select new { block.Id, Newest = newest };

        var read = await page.Read(
            $"blocks {filter}",
            (below, count) =>
                rows.Where(row => below == null || row.Id.CompareTo(below.Value) < 0).OrderByDescending(row => row.Id).Take(count)
                    .ToListAsync(cancel),
            row => row.Id);
        if (read.Refused(out var problem, out var found))
        {
            return problem;
        }

        var items = new List<BlockSummary>();
        foreach (var row in found.Items.Select(item => item.Newest))
        {
            items.Add(new BlockSummary(
                row.Slug, row.Title, row.Summary, row.Version, row.Effect, row.Platforms, await PriceList.Current(db, row.Slug, cancel)));
        }

        return TypedResults.Ok(new Page<BlockSummary>(items, found.Next));
    }

    [GeneratedRegex(@"[\\%_]", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Wildcard();
}
