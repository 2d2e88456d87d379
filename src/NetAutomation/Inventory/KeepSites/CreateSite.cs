using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Rules;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class CreateSite
{
    /// <summary>Adds a site.</summary>
    internal static async Task<Results<Created<SiteResource>, Problem>> Handle(
        SiteRequest body, [AsParameters] ResourceCall call, TimeProvider clock)
    {
        if (Names.Faults(body.Name, "/name").ToList() is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        var site = new Site(call.Caller.Tenant, SiteId.New(), clock.GetUtcNow()) { Name = body.Name };
        return await SiteResource.Rows.Create(call, site, new { site.Name });
    }
}
