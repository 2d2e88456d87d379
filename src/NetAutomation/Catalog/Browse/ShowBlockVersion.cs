using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Billing;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Browse;

/// <summary>One immutable version of a block: what it takes, does and costs.</summary>
/// <param name="Block">Name to use in purchases and runs.</param>
/// <param name="Version">Semantic version.</param>
/// <param name="Title">For a person.</param>
/// <param name="Summary">What it does, in a sentence.</param>
/// <param name="State"><c>published</c>; <c>deprecated</c>: runs where it is named; or <c>withdrawn</c>: starts no new run.</param>
/// <param name="Effect">What it may do to a device.</param>
/// <param name="Platforms">What it runs on.</param>
/// <param name="Lacks">What of the input a platform cannot do: a run with it on such a device is refused.</param>
/// <param name="Artifacts">Names of the files it leaves per device.</param>
/// <param name="InputSchema">JSON Schema of a run's input.</param>
/// <param name="Result">What it hands over for each device, and how to show that; null where nothing is said.</param>
/// <param name="Prices">What it costs you now; null where it is not on sale.</param>
/// <param name="Digest">SHA-256 over its files.</param>
/// <param name="Doc">Its documentation, Markdown.</param>
/// <param name="PublishedAt">When it came.</param>
public sealed record BlockVersionDetail(
    string Block,
    string Version,
    string Title,
    string Summary,
    string State,
    Effect Effect,
    IReadOnlyList<string> Platforms,
    IReadOnlyList<BlockLack> Lacks,
    IReadOnlyList<string> Artifacts,
    JsonElement InputSchema,
    BlockResult? Result,
    BlockPrices? Prices,
    string Digest,
    string Doc,
    DateTimeOffset PublishedAt);

/// <summary>The result of a block on one device.</summary>
/// <param name="Schema">JSON Schema.</param>
/// <param name="View">Members that matter to a person; null where it is shown as it is.</param>
public sealed record BlockResult(JsonElement Schema, BlockResultView? View);

/// <summary>Members of a result that matter to a person.</summary>
/// <param name="Facts">Shown with their names.</param>
/// <param name="Table">A list, shown as rows.</param>
public sealed record BlockResultView(IReadOnlyList<string>? Facts, string? Table);

internal static class ShowBlockVersion
{
    /// <summary>One version of a block.</summary>
    internal static async Task<Results<Ok<BlockVersionDetail>, Problem>> Handle(
        string block, string version, NetAutomationDb db, CancellationToken cancel)
    {
        var row = await db.Set<BlockVersionRow>().AsNoTracking()
            .FirstOrDefaultAsync(row => row.Slug == block && row.Version == version, cancel);
        if (row is null)
        {
            return Web.Problems.NotFound.With();
        }

        return TypedResults.Ok(new BlockVersionDetail(
            row.Slug,
            row.Version,
            row.Title,
            row.Summary,
            Wire.Name(row.State),
            row.Effect,
            row.Platforms,
            JsonSerializer.Deserialize<List<BlockLack>>(row.Lacks, Json.Api)!,
            row.Artifacts,
            JsonElement.Parse(row.InputSchema),
            row.Result is null ? null : JsonSerializer.Deserialize<BlockResult>(row.Result, Json.Api),
            await PriceList.Current(db, block, cancel),
            row.Digest,
            row.Readme,
            row.PublishedAt));
    }
}
