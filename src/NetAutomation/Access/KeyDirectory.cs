using NetAutomation.Access.Keys;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Access;

/// <summary>The member whose API key it is.</summary>
/// <param name="Name">The member's name now.</param>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record KeyHolder(TenantId Tenant, ApiKeyId Key, MemberId Member, string Name, MemberRole Role, bool Suspended);

/// <summary>
/// Finds the member that a key belongs to now. It keeps an answer of the database for less than a second, so every process refuses a key
/// within a second after it, its member or its tenant ends.
/// </summary>
internal sealed class KeyDirectory(IServiceScopeFactory scopes, TimeProvider clock)
{
    private readonly Recent<KeyHolder?> _keys = new(clock, TimeSpan.FromMilliseconds(900));

    /// <summary>Null where the key is unknown or revoked, its member is disabled, or its tenant may not call.</summary>
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
                select k.tenant_id as tenant, k.id as key, m.id as member, m.name, m.role, t.state <> 'active' as suspended
                from onboarding.api_key k
                join onboarding.member m on m.tenant_id = k.tenant_id and m.id = k.member_id and m.state = 'active'
                join onboarding.tenant t on t.tenant_id = k.tenant_id
                where k.sha256 = {hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
                  and (t.state in ('active', 'suspended') or t.reads_until > now())
                """,
                CancellationToken.None);
        }, cancel);
    }

    /// <summary>
    /// Forgets the kept answers about the keys of a tenant, after this process changed a key, a member or the tenant. What was no key may
    /// be one of them now.
    /// </summary>
    public void Forget(TenantId tenant) => _keys.Forget(known => known is null || known.Tenant == tenant);
}
