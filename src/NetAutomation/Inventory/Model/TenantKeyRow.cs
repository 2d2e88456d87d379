namespace NetAutomation.Inventory.Model;

internal sealed record TenantKeyRow(TenantId TenantId, int Version, byte[] Wrapped);
