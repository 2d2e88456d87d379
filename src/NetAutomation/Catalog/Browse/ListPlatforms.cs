using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Platforms;

namespace NetAutomation.Catalog.Browse;

/// <summary>A platform that devices may have.</summary>
/// <param name="Platform">Name to use in devices.</param>
/// <param name="Title">For a person.</param>
/// <param name="Connection">How such a device is reached.</param>
/// <param name="Port">The port that is usual.</param>
/// <param name="Logins">What a credential may hold: <c>password</c>, <c>ssh_key</c>, <c>enable</c> beside either.</param>
/// <param name="Guard"><c>hard</c>: the device can take a change back by itself; <c>soft</c>: it has to be put back.</param>
/// <param name="Shell">Whether a login may land in a shell: <c>connectionOptions.shell</c>.</param>
/// <param name="Blocks">The blocks on offer that run on it, in their newest versions.</param>
public sealed record PlatformView(
    string Platform, string Title, string Connection, int Port, IReadOnlyList<string> Logins, string Guard, bool Shell,
    IReadOnlyList<string> Blocks);

/// <summary>Every platform.</summary>
/// <param name="Items">In order of name.</param>
public sealed record PlatformList(IReadOnlyList<PlatformView> Items);

internal static class ListPlatforms
{
    /// <summary>The platforms that devices may have.</summary>
    internal static async Task<Ok<PlatformList>> Handle(NetAutomationDb db, CancellationToken cancel)
    {
        var versions = await db.Set<BlockVersionRow>().AsNoTracking().Where(row => row.State == VersionState.Published)
            .Select(row => new { row.Slug, row.Platforms, row.Major, row.Minor, row.Patch }).ToListAsync(cancel);
        var newest = versions.GroupBy(row => row.Slug).Select(rows => rows.MaxBy(row => (row.Major, row.Minor, row.Patch))!)
            .OrderBy(row => row.Slug, StringComparer.Ordinal).ToList();
        return TypedResults.Ok(new PlatformList(
            [.. (await PlatformCatalog.All(db, cancel)).Select(platform => new PlatformView(
                platform.Name, platform.Title, platform.Connection, platform.Port, platform.Logins, platform.Guard, platform.Shell,
                [.. newest.Where(block => block.Platforms.Contains(platform.Name)).Select(block => block.Slug)]))]));
    }
}
