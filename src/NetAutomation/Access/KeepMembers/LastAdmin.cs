using NetAutomation.Persistence;

namespace NetAutomation.Access.KeepMembers;

/// <summary>A tenant keeps an active admin with a key that lasts, since nobody else could issue another key.</summary>
internal static class LastAdmin
{
    /// <summary>True where the tenant would be left without, if this member or this key went.</summary>
    public static async Task<bool> Is(NetAutomationDb db, TenantId tenant, MemberId? member, ApiKeyId? key, CancellationToken cancel)
    {
        // Locked together, so that of two changes at once neither counts on what the other takes.
        await db.Execute(
            $"select from onboarding.member where tenant_id = {tenant.Value} and role = 'admin' order by id for update", cancel);
        return await db.Scalar<bool>(
            $"""
            with lasting as (
              select m.id as member, k.id as key
              from onboarding.member m left join onboarding.api_key k
                on k.tenant_id = m.tenant_id and k.member_id = m.id and k.revoked_at is null and k.expires_at is null
              where m.tenant_id = {tenant.Value} and m.role = 'admin' and m.state = 'active')
            select exists (select from lasting where member = {member?.Value} or key = {key?.Value})
              and not exists (
                select from lasting
                where key is not null and member is distinct from {member?.Value} and key is distinct from {key?.Value})
            """,
            cancel);
    }
}
