using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.Model;

internal sealed class Site : IResource<SiteKind>
{
    public required TenantId TenantId { get; init; }

    public required SiteId Id { get; init; }

    public required string Name { get; set; }

    public int Version { get; set; } = 1;

    public required DateTimeOffset CreatedAt { get; init; }
}
