using NetAutomation.Persistence;
using NetAutomation.Tenants.Keys;

namespace NetAutomation.Tenants;

/// <summary>A key as it is shown once.</summary>
/// <param name="Secret">The key itself.</param>
internal sealed record IssuedKey(ApiKeyId Id, string Secret, string Prefix, DateTimeOffset CreatedAt);

/// <summary>Issues API keys in the caller's transaction.</summary>
internal static class ApiKeys
{
    public static async Task<IssuedKey> Issue(
        NetAutomationDb db, TenantId tenant, string name, string member, MemberRole role, CancellationToken cancel,
        DateTimeOffset? expiresAt = null)
    {
        var (id, secret) = (ApiKeyId.New(), KeySecret.New());
        var created = await db.Scalar<DateTimeOffset>(
            $"""
            insert into onboarding.api_key (tenant_id, id, sha256, prefix, name, member, role, expires_at)
            values ({tenant.Value}, {id.Value}, {KeySecret.Hash(secret)}, {KeySecret.Prefix(secret)}, {name}, {member}, {Web.Wire.Name(role)}, {expiresAt})
            returning created_at as "Value"
            """,
            cancel);
        return new IssuedKey(id, secret, KeySecret.Prefix(secret), created);
    }
}
