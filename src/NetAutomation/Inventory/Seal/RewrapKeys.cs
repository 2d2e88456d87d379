using System.Security.Cryptography;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory.Seal;

/// <summary>Wraps the keys of tenants anew that a former root key has wrapped, while everybody uses them.</summary>
internal sealed class RewrapKeys(SystemDb db, RootKeys root)
{
    private const int Batch = 100;

    public async Task Run(CancellationToken cancel)
    {
        var newest = root.Newest.ToArray();
        List<Wrapped> old;
        do
        {
            // That of an offboarded tenant is empty.
            old = await db.Query<Wrapped>(
                $"""
                select tenant_id, version, wrapped as bytes from inventory.tenant_key
                where length(wrapped) > 0 and substr(wrapped, 1, {newest.Length}) <> {newest}
                order by tenant_id, version limit {Batch}
                """,
                cancel);
            foreach (var each in old)
            {
                var key = await root.Unwrap(each.TenantId, each.Version, each.Bytes, cancel);
                var wrapped = await root.Wrap(each.TenantId, each.Version, key, cancel);
                CryptographicOperations.ZeroMemory(key);
                // Nothing where the tenant's key was destroyed meanwhile.
                await db.Execute(
                    $"""
                    update inventory.tenant_key set wrapped = {wrapped}
                    where tenant_id = {each.TenantId.Value} and version = {each.Version} and wrapped = {each.Bytes}
                    """,
                    cancel);
            }
        }
        while (old.Count == Batch);
    }

    private sealed record Wrapped(TenantId TenantId, int Version, byte[] Bytes);
}
