using NetAutomation.Inventory.Model;

namespace NetAutomation.Inventory.KeepSites;

/// <summary>A network of the tenant. Address spaces of sites may overlap.</summary>
/// <param name="Id">The site.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record SiteResource(SiteId Id, string Name, DateTimeOffset CreatedAt)
{
    internal static SiteResource Of(Site site) => new(site.Id, site.Name, site.CreatedAt);
}

/// <summary>A site's members that can be set.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
public sealed record SiteRequest(string Name);
