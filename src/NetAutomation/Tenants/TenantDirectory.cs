using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Keys;
using NetAutomation.Web;

namespace NetAutomation.Tenants;

/// <summary>The holder of an API key.</summary>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record KeyHolder(TenantId Tenant, ApiKeyId Key, string Member, MemberRole Role, bool Suspended);

/// <summary>
/// Finds the tenant that a key names now. It keeps an answer of the database for less than a second, so every process refuses a key within
/// a second after it ends.
/// </summary>
internal sealed class TenantDirectory(IServiceScopeFactory scopes, BindingDirectory bindings, TimeProvider clock)
{
    private readonly Recent<KeyHolder?> _keys = new(clock, TimeSpan.FromMilliseconds(900));

    /// <summary>Null where the key is unknown or revoked, or its tenant may not call.</summary>
    public ValueTask<KeyHolder?> ByKey(string key, CancellationToken cancel)
    {
        var hash = KeySecret.Hash(key);
        return _keys.Get(Convert.ToHexString(hash), async () =>
        {
            await using var scope = scopes.CreateAsyncScope();
            return await scope.ServiceProvider.GetRequiredService<SystemDb>().Scalar<KeyHolder>(
                $"""
                with used as (
                  update onboarding.api_key set last_used_at = now()
                  where sha256 = {hash} and revoked_at is null and (last_used_at is null or last_used_at < now() - interval '1 minute')
                )
                select k.tenant_id as tenant, k.id as key, k.member, k.role, t.state <> 'active' as suspended
                from onboarding.api_key k join onboarding.tenant t using (tenant_id)
                where k.sha256 = {hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
                  and (t.state in ('active', 'suspended') or t.reads_until > now())
                """,
                CancellationToken.None);
        }, cancel);
    }

    /// <summary>Forgets the kept answers about keys and about endpoints' bindings, after this process changed a tenant.</summary>
    public void Forget()
    {
        bindings.Forget();
        _keys.Clear();
    }
}
