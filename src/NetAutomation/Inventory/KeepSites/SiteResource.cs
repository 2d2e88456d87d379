using NetAutomation.Inventory.Model;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepSites;

/// <summary>A network of the tenant. Address spaces of sites may overlap.</summary>
/// <param name="Id">The site.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record SiteResource(SiteId Id, string Name, DateTimeOffset CreatedAt)
{
    internal static readonly Resource<SiteKind, Site, SiteResource> Rows = new(
        "site", "/v1/sites", site => new SiteResource(site.Id, site.Name, site.CreatedAt), Problems.SiteInUse,
        ("site_name", Problems.SiteNameTaken));
}

/// <summary>A site's members that can be set.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
public sealed record SiteRequest(string Name);
