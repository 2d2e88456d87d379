using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Keys;
using NetAutomation.Web;

namespace NetAutomation.Tenants;

/// <summary>The holder of an API key.</summary>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record KeyHolder(TenantId Tenant, ApiKeyId Key, string Member, MemberRole Role, bool Suspended);

/// <summary>
/// Which tenant a key names now. The database is asked; answers are kept for less than a second, so a key that ends is refused within one.
/// </summary>
internal sealed class TenantDirectory(IServiceScopeFactory scopes, BindingDirectory bindings, TimeProvider time)
{
    private readonly Recent<KeyHolder?> _keys = new(time, TimeSpan.FromMilliseconds(900));

    /// <summary>Null where the key is unknown or revoked, or its tenant may not call.</summary>
    public ValueTask<KeyHolder?> ByKey(string key, CancellationToken cancel)
    {
        var hash = KeySecret.Hash(key);
        return _keys.Get(Convert.ToHexString(hash), async () =>
        {
            await using var scope = scopes.CreateAsyncScope();
            var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<FoundKey>(
                $"""
                with used as (
                  update onboarding.api_key set last_used_at = now()
                  where sha256 = {hash} and revoked_at is null and (last_used_at is null or last_used_at < now() - interval '1 minute')
                )
                select k.tenant_id, k.id, k.member, k.role, t.state <> 'active' as suspended
                from onboarding.api_key k join onboarding.tenant t using (tenant_id)
                where k.sha256 = {hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and (t.state in ('active', 'suspended') or t.reads_until > now())
                """,
                CancellationToken.None);
            return rows is [var row] ? new KeyHolder(new(row.TenantId), new(row.Id), row.Member, row.Role, row.Suspended) : null;
        }, cancel);
    }

    /// <summary>Forgets what this process knows of keys and of endpoints' bindings, after it changed a tenant.</summary>
    public void Forget()
    {
        bindings.Forget();
        _keys.Clear();
    }

    private sealed record FoundKey(Guid TenantId, Guid Id, string Member, MemberRole Role, bool Suspended);
}
