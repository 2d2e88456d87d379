using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class ChangeSite
{
    /// <summary>Renames a site.</summary>
    internal static Task<Results<Ok<SiteResource>, Problem>> Rename(SiteId id, SiteRequest body, [AsParameters] ResourceCall call) =>
        SiteResource.Rows.Change(call, id, async site =>
        {
            if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } refused)
            {
                return refused;
            }

            site.Name = body.Name;
            return new Changed(new { site.Name });
        });

    /// <summary>Removes a site that has no devices and no connectors.</summary>
    internal static Task<Results<NoContent, Problem>> Delete(SiteId id, [AsParameters] ResourceCall call) =>
        SiteResource.Rows.Delete(call, id);
}
