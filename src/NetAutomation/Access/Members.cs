using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Access;

/// <summary>Whether a member may act.</summary>
public enum MemberState
{
    Active,

    /// <summary>None of the member's keys works.</summary>
    Disabled,
}

/// <summary>Members that the service itself makes, in the caller's transaction.</summary>
internal static class Members
{
    /// <summary>Adds an active member, and says so in the audit.</summary>
    /// <param name="principal">Who adds it: an operator or the registration, by id and name.</param>
    /// <returns>Null where another member of the tenant has the name.</returns>
    public static async Task<MemberId?> Add(
        NetAutomationDb db, TenantId tenant, string name, MemberRole role, (string Id, string Name) principal, CancellationToken cancel)
    {
        var id = MemberId.New();
        if (await db.Execute(
            $"""
            insert into onboarding.member (tenant_id, id, name, role) values ({tenant.Value}, {id.Value}, {name}, {Wire.Name(role)})
            on conflict on constraint member_name do nothing
            """,
            cancel) == 0)
        {
            return null;
        }

        await new AuditLog(db).Append(
            tenant, principal.Id, principal.Name, null, "member.created", $"{id}", new { name, role }, cancel);
        return id;
    }

    /// <summary>The active admin of this name.</summary>
    public static async Task<MemberId?> FindAdmin(NetAutomationDb db, TenantId tenant, string name, CancellationToken cancel) =>
        await db.Query<MemberId>(
            $"""
            select id from onboarding.member
            where tenant_id = {tenant.Value} and name = {name} and role = 'admin' and state = 'active'
            """,
            cancel) is [var member] ? member : null;
}
