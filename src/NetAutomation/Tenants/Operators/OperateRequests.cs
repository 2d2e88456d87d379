using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Access;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Operators;

/// <summary>What needs a second operator.</summary>
public enum OperatorDeed
{
    /// <summary>An admin's key of a tenant.</summary>
    IssueKey,

    /// <summary>Everything of a tenant.</summary>
    Export,
}

/// <summary>A deed that one operator asks for, and that another approves.</summary>
/// <param name="Id">The request; the deed names it.</param>
/// <param name="TenantId">Whom the deed is about.</param>
/// <param name="Deed">issue_key or export.</param>
/// <param name="Member">Whom the key is for.</param>
/// <param name="NewMember">True where this member is made, as an admin; false where it is an admin there is.</param>
/// <param name="Reason">Why.</param>
/// <param name="State">pending, approved, used or expired.</param>
/// <param name="RequestedBy">The operator who does the deed.</param>
/// <param name="RequestedAt">When it was asked for.</param>
/// <param name="ExpiresAt">Until when it can be approved and used.</param>
/// <param name="ApprovedBy">The other operator.</param>
/// <param name="ApprovedAt">When.</param>
/// <param name="UsedAt">When the deed was done.</param>
public sealed record OperatorRequestView(
    OperatorRequestId Id, TenantId TenantId, OperatorDeed Deed, string? Member, bool NewMember, string Reason, string State,
    string RequestedBy, DateTimeOffset RequestedAt, DateTimeOffset ExpiresAt, string? ApprovedBy, DateTimeOffset? ApprovedAt,
    DateTimeOffset? UsedAt);

/// <summary>Asks for a deed.</summary>
/// <param name="Deed">issue_key or export.</param>
/// <param name="Reason">Why; it stands in the tenant's audit.</param>
/// <param name="Member">With issue_key: the active admin the key is for.</param>
/// <param name="NewMember">True where there is no member of this name yet and one is to be made, as an admin.</param>
public sealed record MakeOperatorRequest(OperatorDeed Deed, string Reason, string? Member = null, bool NewMember = false);

/// <summary>Deeds of one operator that another one approves first: each request is good for one deed, within an hour.</summary>
internal static class OperateRequests
{
    private static readonly TimeSpan _life = TimeSpan.FromHours(1);

    public static async Task<Results<Created<OperatorRequestView>, Problem>> Make(
        TenantId id, MakeOperatorRequest body, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if ((body.Deed == OperatorDeed.IssueKey) != body.Member is not null || (body.NewMember && body.Member is null))
        {
            return Web.Problems.Refused.At("/member", "not_allowed", "A key is for a member; an export is for none.");
        }

        if (ShownText.Refusal([
            .. ShownText.TextFaults(body.Reason, "/reason"), .. body.Member is { } name ? ShownText.NameFaults(name, "/member") : []])
            is { } refused)
        {
            return refused;
        }

        if (!await db.Scalar<bool>($"select exists (select from onboarding.tenant where tenant_id = {id.Value})", cancel))
        {
            return Web.Problems.NotFound.With();
        }

        // A misspelt name must not make another admin.
        if (body.Member is { } known && !body.NewMember && await Members.FindAdmin(db, id, known, cancel) is null)
        {
            return Web.Problems.Refused.At(
                "/member", "unknown", "The tenant has no active admin of this name. With newMember the deed makes one.");
        }

        var request = OperatorRequestId.New();
        await db.Execute(
            $"""
            insert into onboarding.operator_request (tenant_id, id, deed, member, new_member, reason, requested_by, expires_at)
            values (
              {id.Value}, {request.Value}, {Wire.Name(body.Deed)}, {body.Member}, {body.NewMember}, {body.Reason}, {caller.Name},
              now() + {_life})
            """,
            cancel);
        await new AuditLog(db).Append(caller, id, "operator_request.made", $"{request}", body, cancel);
        return TypedResults.Created($"/operator/v1/requests/{request}", (await Find(db, request, null, 1, cancel))[0]);
    }

    public static Task<Results<Ok<Page<OperatorRequestView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("requests", (below, take) => Find(db, null, below, take, cancel), view => view.Id.Value);

    public static async Task<Results<Ok<OperatorRequestView>, Problem>> Get(
        OperatorRequestId id, SystemDb db, CancellationToken cancel) =>
        await Find(db, id, null, 1, cancel) is [var request] ? TypedResults.Ok(request) : Web.Problems.NotFound.With();

    /// <summary>Nobody approves a request of their own, whatever key they use.</summary>
    public static async Task<Results<Ok<OperatorRequestView>, Problem>> Approve(
        OperatorRequestId id, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        var approved = await db.Execute(
            $"""
            update onboarding.operator_request set approved_by = {caller.Name}, approved_at = now()
            where id = {id.Value} and approved_by is null and requested_by <> {caller.Name} and expires_at > now()
            """,
            cancel);
        if (await Find(db, id, null, 1, cancel) is not [var request])
        {
            return Web.Problems.NotFound.With();
        }

        if (approved == 0)
        {
            return request.RequestedBy == caller.Name ? Problems.SecondOperatorNeeded.With("You asked for it yourself.")
                : Web.Problems.Conflict.With($"The request is {request.State}.");
        }

        await new AuditLog(db).Append(
            caller, request.TenantId, "operator_request.approved", $"{id}", new { request.Deed, request.RequestedBy }, cancel);
        return TypedResults.Ok(request);
    }

    /// <summary>Uses up the caller's approved request, or refuses the deed. A deed that is refused leaves the request as it was.</summary>
    public static async Task<Outcome<OperatorRequestView>> Use(
        SystemDb db, TenantId tenant, OperatorDeed deed, OperatorRequestId id, OperatorCaller caller, CancellationToken cancel)
    {
        var used = await db.Execute(
            $"""
            update onboarding.operator_request set used_at = now()
            where tenant_id = {tenant.Value} and id = {id.Value} and deed = {Wire.Name(deed)} and requested_by = {caller.Name}
              and approved_at is not null and used_at is null and expires_at > now()
            """,
            cancel);
        return used == 0
            ? Problems.SecondOperatorNeeded.With(
                "The request has to be yours, for this tenant and deed, approved by another operator, and neither used nor expired.")
            : (await Find(db, id, null, 1, cancel))[0];
    }

    private static Task<List<OperatorRequestView>> Find(
        SystemDb db, OperatorRequestId? id, Guid? below, int take, CancellationToken cancel) =>
        db.Query<OperatorRequestView>(
        $"""
        select id, tenant_id, deed, member, new_member, reason, requested_by, requested_at, expires_at, approved_by, approved_at, used_at,
          case when used_at is not null then 'used' when expires_at <= now() then 'expired'
            when approved_at is not null then 'approved' else 'pending' end as state
        from onboarding.operator_request
        where ({id?.Value}::uuid is null or id = {id?.Value}) and ({below}::uuid is null or id < {below}) order by id desc limit {take}
        """,
        cancel);
}
