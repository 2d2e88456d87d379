using NetAutomation.Persistence;

namespace NetAutomation.Inventory;

/// <summary>The secrets of a tenant that leaves.</summary>
internal static class TenantSecrets
{
    /// <summary>
    /// Destroys the tenant's keys and the secrets that they sealed: secrets in a backup cannot be opened without a backup of the keys.
    /// Returns how many secrets there were.
    /// </summary>
    public static async Task<int> Destroy(NetAutomationDb db, TenantId tenant, CancellationToken cancel)
    {
        await db.Execute($"update inventory.tenant_key set wrapped = '' where tenant_id = {tenant.Value}", cancel);
        return await Overwrite(db, $"inventory.credential", tenant, cancel)
            + await Overwrite(db, $"inventory.device_password", tenant, cancel);
    }

    private static Task<int> Overwrite(NetAutomationDb db, FormattableString table, TenantId tenant, CancellationToken cancel) =>
        db.Execute(
            $"""
            update {table} set ct = '', wrapped_dek = '', nonce = decode('000000000000000000000000', 'hex')
            where tenant_id = {tenant.Value}
            """,
            cancel);
}
