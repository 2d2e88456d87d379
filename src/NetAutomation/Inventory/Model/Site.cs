using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.Model;

internal sealed record Site(TenantId TenantId, SiteId Id, DateTimeOffset CreatedAt) : IResource<SiteKind>
{
    public required string Name { get; set; }

    public int Version { get; set; } = 1;
}
