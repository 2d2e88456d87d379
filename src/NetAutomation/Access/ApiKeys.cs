using NetAutomation.Access.Keys;
using NetAutomation.Persistence;

namespace NetAutomation.Access;

/// <summary>A new API key.</summary>
/// <param name="Id">The key.</param>
/// <param name="Name">What it is for.</param>
/// <param name="MemberId">Whose it is.</param>
/// <param name="Member">The member's name.</param>
/// <param name="Role">What it may do: as much as its member.</param>
/// <param name="Prefix">Start of the secret.</param>
/// <param name="Secret">The key itself; it is shown this once.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
public sealed record NewApiKeyView(
    ApiKeyId Id, string Name, MemberId MemberId, string Member, MemberRole Role, string Prefix, string Secret, DateTimeOffset CreatedAt,
    DateTimeOffset? ExpiresAt);

/// <summary>Issues API keys in the caller's transaction.</summary>
internal static class ApiKeys
{
    /// <param name="member">A member of the tenant.</param>
    public static async Task<NewApiKeyView> Issue(
        NetAutomationDb db, TenantId tenant, MemberId member, string name, CancellationToken cancel, DateTimeOffset? expiresAt = null)
    {
        var (id, secret) = (ApiKeyId.New(), KeySecret.New());
        var prefix = KeySecret.Prefix(secret);
        var issued = (await db.Query<Issued>(
            $"""
            with issued as (
              insert into onboarding.api_key (tenant_id, id, sha256, prefix, name, member_id, expires_at)
              values ({tenant.Value}, {id.Value}, {KeySecret.Hash(secret)}, {prefix}, {name}, {member.Value}, {expiresAt})
              returning *)
            select i.created_at, m.name as member, m.role
            from issued i join onboarding.member m on m.tenant_id = i.tenant_id and m.id = i.member_id
            """,
            cancel))[0];
        return new NewApiKeyView(id, name, member, issued.Member, issued.Role, prefix, secret, issued.CreatedAt, expiresAt);
    }

    private sealed record Issued(DateTimeOffset CreatedAt, string Member, MemberRole Role);
}
