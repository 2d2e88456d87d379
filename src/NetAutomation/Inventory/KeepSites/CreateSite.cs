using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class CreateSite
{
    /// <summary>Adds a site.</summary>
    internal static async Task<Results<Created<SiteResource>, Problem>> Handle(
        SiteRequest body, [AsParameters] ResourceCall call, TimeProvider clock)
    {
        if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } refused)
        {
            return refused;
        }

        var site = new Site(call.Caller.Tenant, SiteId.New(), clock.GetUtcNow()) { Name = body.Name };
        return await SiteResource.Rows.Create(call, site, new { site.Name });
    }
}
