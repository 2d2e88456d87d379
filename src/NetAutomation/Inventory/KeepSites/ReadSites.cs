using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class ReadSites
{
    /// <summary>The tenant's sites.</summary>
    internal static async Task<Results<Ok<Page<SiteResource>>, Problem>> List([AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel)
    {
        var read = await page.Read(
            "sites",
            (below, count) => db.Set<Site>().AsNoTracking().Below(below).Take(count).Select(site => new SiteResource(site.Id, site.Name, site.CreatedAt)).ToListAsync(cancel),
            site => site.Id.Value);
        return read.Refused(out var problem, out var found) ? problem : TypedResults.Ok(found);
    }

    /// <summary>One site.</summary>
    internal static async Task<Results<Ok<SiteResource>, Problem>> Show(SiteId id, NetAutomationDb db, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Site>().AsNoTracking().FirstOrDefaultAsync(site => site.Id == id, cancel) is not { } site)
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, site.Version);
        return TypedResults.Ok(SiteResource.Of(site));
    }

    private static IQueryable<Site> Below(this IQueryable<Site> sites, Guid? below)
    {
        if (below is { } id)
        {
            var last = new SiteId(id);
            sites = sites.Where(site => site.Id.CompareTo(last) < 0);
        }

        return sites.OrderByDescending(site => site.Id);
    }
}
