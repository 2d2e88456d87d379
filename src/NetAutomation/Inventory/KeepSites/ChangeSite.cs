using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Rules;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class ChangeSite
{
    /// <summary>Renames a site.</summary>
    internal static async Task<Results<Ok<SiteResource>, Problem>> Rename(
        SiteId id, SiteRequest body, Caller caller, NetAutomationDb db, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Site>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } site)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, site.Version) is { } stale)
        {
            return stale;
        }

        if (Names.Faults(body.Name, "/name").ToList() is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        site.Name = body.Name;
        site.Version++;
        if (await db.Save(Problems.SiteInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "site.changed", $"{id}", new { site.Name }, cancel);
        ETags.Show(http, site.Version);
        return TypedResults.Ok(SiteResource.Of(site));
    }

    /// <summary>Removes a site that has no devices and no connectors.</summary>
    internal static async Task<Results<NoContent, Problem>> Delete(
        SiteId id, Caller caller, NetAutomationDb db, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Site>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } site)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, site.Version) is { } stale)
        {
            return stale;
        }

        db.Remove(site);
        if (await db.Save(Problems.SiteInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "site.deleted", $"{id}", new { site.Name }, cancel);
        return TypedResults.NoContent();
    }
}
