using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Rules;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

internal static class ChangeSite
{
    /// <summary>Renames a site.</summary>
    internal static Task<Results<Ok<SiteResource>, Problem>> Rename(SiteId id, SiteRequest body, [AsParameters] ResourceCall call) =>
        SiteResource.Rows.Change(call, id, async site =>
        {
            if (Names.Faults(body.Name, "/name").ToList() is { Count: > 0 } faults)
            {
                return new Problem(Web.Problems.Refused, errors: faults);
            }

            site.Name = body.Name;
            return new Changed(new { site.Name });
        });

    /// <summary>Removes a site that has no devices and no connectors.</summary>
    internal static Task<Results<NoContent, Problem>> Delete(SiteId id, [AsParameters] ResourceCall call) =>
        SiteResource.Rows.Delete(call, id);
}
