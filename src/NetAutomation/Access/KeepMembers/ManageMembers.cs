using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Access.KeepMembers;

/// <summary>A person or system of the tenant. What its keys do stands in the audit under its id and name.</summary>
/// <param name="Id">The member.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="Role">What its keys may do: viewer, operator or admin.</param>
/// <param name="State">active, or disabled: none of its keys works.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record MemberView(MemberId Id, string Name, MemberRole Role, MemberState State, DateTimeOffset CreatedAt)
{
    internal static readonly Resource<MemberKind, Member, MemberView> Rows = new(
        "member", "/v1/members", row => new MemberView(row.Id, row.Name, row.Role, row.State, row.CreatedAt), Problems.MemberInUse,
        ("member_name", Problems.MemberNameTaken));
}

/// <summary>A member to make.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Role">viewer, operator or admin (docs/api.md).</param>
public sealed record CreateMemberRequest(string Name, MemberRole Role);

/// <summary>What to change of a member; what is null stays.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Role">Counts for all its keys at once.</param>
/// <param name="State">disabled stops all its keys, active lets those work again that were not revoked.</param>
public sealed record ChangeMemberRequest(string? Name = null, MemberRole? Role = null, MemberState? State = null);

internal static class ManageMembers
{
    /// <summary>The tenant's members, newest first, disabled ones too.</summary>
    public static Task<Results<Ok<Page<MemberView>>, Problem>> List(
        [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel) =>
        MemberView.Rows.List(page, db, cancel);

    /// <summary>One member.</summary>
    public static Task<Results<Ok<MemberView>, Problem>> Show(
        MemberId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        MemberView.Rows.Show(id, db, http, cancel);

    /// <summary>Adds a person or system. Issue a key to it by POST /v1/api-keys.</summary>
    public static async Task<Results<Created<MemberView>, Problem>> Create(
        CreateMemberRequest body, [AsParameters] ResourceCall call, TimeProvider clock)
    {
        if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } refused)
        {
            return refused;
        }

        var member = new Member(call.Caller.Tenant, MemberId.New(), clock.GetUtcNow()) { Name = body.Name, Role = body.Role };
        return await MemberView.Rows.Create(call, member, new { member.Name, member.Role });
    }

    /// <summary>Renames a member, gives it another role, disables it or lets it act again. All its keys follow within a second.</summary>
    public static Task<Results<Ok<MemberView>, Problem>> Change(
        MemberId id, ChangeMemberRequest body, [AsParameters] ResourceCall call, KeyDirectory directory) =>
        MemberView.Rows.Change(call, id, async member =>
        {
            if (body.Name is { } name && ShownText.Refusal(ShownText.NameFaults(name, "/name")) is { } refused)
            {
                return refused;
            }

            var loses = member.IsActiveAdmin && (body.Role is not (null or MemberRole.Admin) || body.State == MemberState.Disabled);
            if (loses && await LastAdmin.Is(call.Db, call.Caller.Tenant, id, null, call.Cancel))
            {
                return Problems.LastAdmin.With();
            }

            (member.Name, member.Role, member.State) =
                (body.Name ?? member.Name, body.Role ?? member.Role, body.State ?? member.State);
            call.Db.AfterCommit.Add(() => directory.Forget(call.Caller.Tenant));
            return new Changed(new { member.Name, member.Role, member.State });
        });

    /// <summary>Removes a member that never had a key.</summary>
    public static Task<Results<NoContent, Problem>> Delete(MemberId id, [AsParameters] ResourceCall call) =>
        MemberView.Rows.Delete(call, id);
}
