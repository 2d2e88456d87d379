using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Rules;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class CreateSite
{
    /// <summary>Adds a site.</summary>
    internal static async Task<Results<Created<SiteResource>, Problem>> Handle(
        SiteRequest body, Caller caller, NetAutomationDb db, AuditLog audit, TimeProvider time, HttpContext http, CancellationToken cancel)
    {
        if (Names.Faults(body.Name, "/name").ToList() is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        var site = new Site { TenantId = caller.Tenant, Id = SiteId.New(), Name = body.Name, CreatedAt = time.GetUtcNow() };
        db.Add(site);
        if (await db.Save(Problems.SiteInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "site.created", $"{site.Id}", new { site.Name }, cancel);
        ETags.Show(http, site.Version);
        return TypedResults.Created($"/v1/sites/{site.Id}", SiteResource.Of(site));
    }
}
