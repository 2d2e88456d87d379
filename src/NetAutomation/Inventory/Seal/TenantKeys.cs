using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory.Seal;

/// <summary>Makes and unwraps the keys of tenants, in the tenant's own transaction.</summary>
internal sealed class TenantKeys(RootKeys root)
{
    /// <summary>The newest key; the first use makes it.</summary>
    public async Task<TenantKey> Current(NetAutomationDb db, TenantId tenant, CancellationToken cancel)
    {
        var newest = await Newest(db, cancel);
        if (newest is null)
        {
            var key = RandomNumberGenerator.GetBytes(AeadBox.KeyBytes);
            var wrapped = await root.Wrap(tenant, 1, key, cancel);
            CryptographicOperations.ZeroMemory(key);
            await db.Execute(
                $"""
                insert into inventory.tenant_key (tenant_id, version, wrapped) values ({tenant.Value}, 1, {wrapped}) on conflict do nothing
                """,
                cancel);
            newest = await Newest(db, cancel);
        }

        return await Unwrap(newest!, cancel);
    }

    public async Task<TenantKey> Get(NetAutomationDb db, int version, CancellationToken cancel) =>
        await Unwrap(await db.Set<TenantKeyRow>().AsNoTracking().SingleAsync(row => row.Version == version, cancel), cancel);

    private static Task<TenantKeyRow?> Newest(NetAutomationDb db, CancellationToken cancel) =>
        db.Set<TenantKeyRow>().AsNoTracking().OrderByDescending(row => row.Version).FirstOrDefaultAsync(cancel);

    private async Task<TenantKey> Unwrap(TenantKeyRow row, CancellationToken cancel) =>
        new(row.Version, await root.Unwrap(row.TenantId, row.Version, row.Wrapped, cancel));
}
