namespace NetAutomation.Inventory.Model;

internal sealed class TenantKeyRow
{
    public required TenantId TenantId { get; init; }

    public required int Version { get; init; }

    public required byte[] Wrapped { get; init; }
}
