using NetAutomation.Persistence;
using NetAutomation.Tenants.Keys;
using NetAutomation.Web;

namespace NetAutomation.Tenants;

/// <summary>A new API key.</summary>
/// <param name="Id">The key.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Member">The person or system it was issued to.</param>
/// <param name="Role">What it may do.</param>
/// <param name="Prefix">Start of the secret.</param>
/// <param name="Secret">The key itself; it is shown this once.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
public sealed record NewApiKeyView(
    ApiKeyId Id, string Name, string Member, MemberRole Role, string Prefix, string Secret, DateTimeOffset CreatedAt,
    DateTimeOffset? ExpiresAt = null);

/// <summary>Issues API keys in the caller's transaction.</summary>
internal static class ApiKeys
{
    public static async Task<NewApiKeyView> Issue(
        NetAutomationDb db, TenantId tenant, string name, string member, MemberRole role, CancellationToken cancel,
        DateTimeOffset? expiresAt = null)
    {
        var (id, secret) = (ApiKeyId.New(), KeySecret.New());
        var prefix = KeySecret.Prefix(secret);
        var createdAt = await db.Scalar<DateTimeOffset>(
            $"""
            insert into onboarding.api_key (tenant_id, id, sha256, prefix, name, member, role, expires_at)
            values ({tenant.Value}, {id.Value}, {KeySecret.Hash(secret)}, {prefix}, {name}, {member}, {Wire.Name(role)}, {expiresAt})
            returning created_at
            """,
            cancel);
        return new NewApiKeyView(id, name, member, role, prefix, secret, createdAt, expiresAt);
    }
}
