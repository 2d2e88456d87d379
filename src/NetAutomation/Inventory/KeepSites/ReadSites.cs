using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepSites;

internal static class ReadSites
{
    /// <summary>The tenant's sites.</summary>
    internal static Task<Results<Ok<Page<SiteResource>>, Problem>> List(
        [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel) =>
        SiteResource.Rows.List(page, db, cancel);

    /// <summary>One site.</summary>
    internal static Task<Results<Ok<SiteResource>, Problem>> Show(
        SiteId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        SiteResource.Rows.Show(id, db, http, cancel);
}
