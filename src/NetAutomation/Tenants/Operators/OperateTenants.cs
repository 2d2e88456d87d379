using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Access;
using NetAutomation.Billing;
using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Accounts;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Operators;

/// <summary>A customer as the provider sees it.</summary>
/// <param name="Id">The tenant.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">pending, active, suspended or ended.</param>
/// <param name="ReadsUntil">Until when an ended tenant may read.</param>
/// <param name="Accounts">AWS accounts from which it may open endpoints.</param>
/// <param name="Endpoints">VPC endpoints bound to it now.</param>
/// <param name="CreatedAt">When it registered.</param>
/// <param name="SuspendedBy">The operator, or marketplace where AWS Marketplace does not know the customer; null for none.</param>
/// <param name="SuspendedReason">Why.</param>
/// <param name="OffboardedAt">When its leaving was done.</param>
public sealed record TenantView(
    TenantId Id,
    string Name,
    string State,
    DateTimeOffset? ReadsUntil,
    string[] Accounts,
    string[] Endpoints,
    DateTimeOffset CreatedAt,
    string? SuspendedBy,
    string? SuspendedReason,
    DateTimeOffset? OffboardedAt);

/// <summary>Issues a key to a tenant that lost its last one.</summary>
/// <param name="RequestId">The approved request of this; it names the member and the reason.</param>
public sealed record IssueTenantKeyRequest(OperatorRequestId RequestId);

/// <summary>Who of an account may connect.</summary>
/// <param name="Principals">ARNs of roles and users, without paths; everyone of the account where it is left out.</param>
public sealed record TenantAccountRequest(IReadOnlyList<string>? Principals = null);

/// <summary>Suspends a tenant.</summary>
/// <param name="Reason">Why; it stands in the tenant's audit.</param>
public sealed record SuspendTenantRequest(string Reason);

internal static class OperateTenants
{
    public static Task<Results<Ok<Page<TenantView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("tenants", (below, take) => Find(db, null, below, take, cancel), view => view.Id.Value);

    public static async Task<Results<Ok<TenantView>, Problem>> Get(TenantId id, SystemDb db, CancellationToken cancel) =>
        await Find(db, id, null, 1, cancel) is [var tenant] ? TypedResults.Ok(tenant) : Web.Problems.NotFound.With();

    /// <summary>
    /// Reads and cancels only, from now on. A suspension by AWS Marketplace becomes the operator's, who alone lifts it then.
    /// </summary>
    public static async Task<Results<Ok<TenantView>, Problem>> Suspend(
        TenantId id, SuspendTenantRequest request, SystemDb db, OperatorCaller caller, Suspension suspension, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } refused)
        {
            return refused;
        }

        if (await Find(db, id, null, 1, cancel) is not [var tenant])
        {
            return Web.Problems.NotFound.With();
        }

        if (tenant is not ({ State: "active" } or { State: "suspended", SuspendedBy: Suspension.Marketplace }))
        {
            return Web.Problems.Conflict.With("The tenant is not active.");
        }

        await suspension.Begin(id, caller.Principal, caller.Name, request.Reason, cancel);
        return await Get(id, db, cancel);
    }

    /// <summary>Lifts the suspension, also one that AWS Marketplace caused: if it refuses the customer again, it comes back.</summary>
    public static async Task<Results<Ok<TenantView>, Problem>> Reactivate(
        TenantId id, SystemDb db, OperatorCaller caller, Suspension suspension, CancellationToken cancel)
    {
        if (await Find(db, id, null, 1, cancel) is not [var tenant])
        {
            return Web.Problems.NotFound.With();
        }

        if (tenant.State != "suspended")
        {
            return Web.Problems.Conflict.With("The tenant is not suspended.");
        }

        await BillingAccounts.Forgive(db, id, cancel);
        await suspension.End(id, caller.Principal, caller.Name, cancel);
        return await Get(id, db, cancel);
    }

    public static async Task<Results<Created<NewApiKeyView>, Problem>> IssueKey(
        TenantId id, IssueTenantKeyRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (await Refusal(db, id, cancel) is { } refusal)
        {
            return refusal;
        }

        if ((await OperateRequests.Use(db, id, OperatorDeed.IssueKey, request.RequestId, caller, cancel))
            .Refused(out var unapproved, out var approved))
        {
            return unapproved;
        }

        var name = approved.Member!;
        var member = approved.NewMember
            ? await Members.Add(db, id, name, MemberRole.Admin, (caller.Principal, caller.Name), cancel)
            : await Members.FindAdmin(db, id, name, cancel);
        if (member is not { } admin)
        {
            return Web.Problems.Conflict.With(
                approved.NewMember ? "The tenant has a member of this name by now." : "The tenant's active admin of this name is gone.");
        }

        var key = await ApiKeys.Issue(db, id, admin, "issued by the provider", cancel);
        await new AuditLog(db).Append(
            caller, id, "api_key.created", $"{key.Id}",
            new { key.MemberId, key.Member, approved.Reason, key.Prefix, request.RequestId, approved.ApprovedBy }, cancel);
        return TypedResults.Created((string?)null, key);
    }

    /// <summary>Another AWS account of the tenant, which the provider has proven by its own means.</summary>
    public static async Task<Results<Ok<TenantView>, Problem>> AddAccount(
        TenantId id, string account, SystemDb db, OperatorCaller caller, ReconcileSignal signal, IOptions<ConnectionsOptions> options,
        CancellationToken cancel, TenantAccountRequest? request = null)
    {
        if (!AwsAccount.IsNumber(account))
        {
            return Web.Problems.NotFound.With();
        }

        if (await Refusal(db, id, cancel) is { } refusal)
        {
            return refusal;
        }

        string[] principals = [.. request?.Principals ?? []];
        var partition = options.Value.Partition;
        var wrong = Array.FindIndex(principals, principal => !IsPrincipal(principal, $"arn:{partition}:iam::{account}:"));
        if (wrong >= 0)
        {
            return Web.Problems.Refused.At(
                $"/principals/{wrong}", "not_allowed", $"arn:{partition}:iam::{account}:role/NAME or :user/NAME; EC2 takes no paths.");
        }

        await db.Execute(
            $"""
            insert into onboarding.tenant_account (tenant_id, account, proven_by, principals)
            values ({id.Value}, {account}, 'operator', {principals})
            on conflict (tenant_id, account) do update set active = true, removed_at = null, principals = excluded.principals,
              proven_by = case when onboarding.tenant_account.active then onboarding.tenant_account.proven_by else 'operator' end
            """,
            cancel);
        await db.Execute($"delete from onboarding.account_challenge where tenant_id = {id.Value} and account = {account}", cancel);
        await new AuditLog(db).Append(caller, id, "account.added", account, null, cancel);
        db.AfterCommit.Add(signal.Nudge);
        return await Get(id, db, cancel);
    }

    public static async Task<Results<Ok<TenantView>, Problem>> RemoveAccount(
        TenantId id, string account, SystemDb db, OperatorCaller caller, ReconcileSignal signal, CancellationToken cancel)
    {
        if (await TenantAccounts.Remove(db, id, account, cancel) == 0)
        {
            return Web.Problems.NotFound.With();
        }

        await new AuditLog(db).Append(caller, id, "account.removed", account, null, cancel);
        db.AfterCommit.Add(signal.Nudge);
        return await Get(id, db, cancel);
    }

    /// <summary>A tenant that is leaving gets nothing more, because nothing would take it back.</summary>
    private static async Task<Problem?> Refusal(SystemDb db, TenantId id, CancellationToken cancel) =>
        await db.Scalar<bool?>(
            $"select offboarding_at is not null from onboarding.tenant where tenant_id = {id.Value} for update", cancel) switch
        {
            null => Web.Problems.NotFound.With(),
            true => Web.Problems.Conflict.With("The tenant is being offboarded, or was."),
            false => null,
        };

    private static bool IsPrincipal(string arn, string account) =>
        Array.Exists([$"{account}role/", $"{account}user/"], form => arn.StartsWith(form, StringComparison.Ordinal)
            && arn.Length - form.Length is >= 1 and <= 64
                && arn[form.Length..].All(c => char.IsAsciiLetterOrDigit(c) || "+=,.@_-".Contains(c)));

    private static Task<List<TenantView>> Find(SystemDb db, TenantId? id, Guid? below, int take, CancellationToken cancel) =>
        db.Query<TenantView>(
        $"""
        select t.tenant_id as id, t.name, t.state, t.reads_until, t.created_at, t.suspended_by, t.suspended_reason, t.offboarded_at,
          array(select a.account from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.active order by 1) as accounts,
          array(
            select b.endpoint_id from onboarding.binding b where b.tenant_id = t.tenant_id and b.ended_at is null order by 1) as endpoints
        from onboarding.tenant t
        where ({id?.Value}::uuid is null or t.tenant_id = {id?.Value}) and ({below}::uuid is null or t.tenant_id < {below})
        order by t.tenant_id desc limit {take}
        """,
        cancel);
}
