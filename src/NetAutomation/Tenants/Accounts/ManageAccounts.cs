using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Accounts;

/// <summary>An AWS account of the tenant.</summary>
/// <param name="Account">12 digits.</param>
/// <param name="State">active: it may open endpoints; pending: it is claimed and not proven.</param>
/// <param name="ProvenBy">marketplace, sts or operator (the provider's staff); null while it is pending.</param>
/// <param name="CreatedAt">When it was claimed first.</param>
/// <param name="Challenge">What the proof of a pending account is signed over; null where there is none or it has expired: claim the
/// account again.</param>
public sealed record AwsAccountView(
    string Account, string State, string? ProvenBy, DateTimeOffset CreatedAt, AccountChallengeView? Challenge);

/// <summary>What a proof is signed over.</summary>
/// <param name="Header">The signed header that must carry the value.</param>
/// <param name="Value">Good for one proof of this account.</param>
/// <param name="ExpiresAt">Until when.</param>
public sealed record AccountChallengeView(string Header, string Value, DateTimeOffset ExpiresAt);

/// <summary>Claims an AWS account.</summary>
/// <param name="Account">12 digits.</param>
public sealed record ClaimAccountRequest(string Account);

/// <summary>Proves an AWS account.</summary>
/// <param name="Url">A presigned URL of AWS STS GetCallerIdentity, whose signed headers are host and x-netautomation-challenge.</param>
public sealed record ProveAccountRequest(string Url);

internal static class ManageAccounts
{
    /// <summary>The AWS accounts from which the tenant may open endpoints, and those it claims.</summary>
    public static async Task<Ok<Page<AwsAccountView>>> List(NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        TypedResults.Ok(new Page<AwsAccountView>(await Read(db, caller.Tenant, null, cancel), null));

    /// <summary>Claims an account. It counts once it is proven with its own credentials, or approved by the provider.</summary>
    public static async Task<Results<Created<AwsAccountView>, Problem>> Claim(
        ClaimAccountRequest request, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        if ((await AccountChallenges.Claim(db, Claimant.Of(caller), request.Account, cancel)).Refused(out var problem, out _))
        {
            return problem;
        }

        return TypedResults.Created($"/v1/aws-accounts/{request.Account}", (await Read(db, caller.Tenant, request.Account, cancel))[0]);
    }

    /// <summary>
    /// Proves a claimed account by a request to AWS STS that its credentials signed over the challenge. Proven before: shows it.
    /// </summary>
    public static async Task<Results<Ok<AwsAccountView>, Problem>> Prove(
        string account, ProveAccountRequest request, NetAutomationDb db, Caller caller, ProveAccount prove, CancellationToken cancel)
    {
        var known = await Show();
        if (known is null)
        {
            return Web.Problems.NotFound.With();
        }

        if (known.State == "active")
        {
            return TypedResults.Ok(known);
        }

        return await prove.Prove(Claimant.Of(caller), account, request.Url, cancel) is { } problem
            ? problem : TypedResults.Ok(await Show());

        async Task<AwsAccountView?> Show()
        {
            await using var transaction = await db.Begin(caller.Tenant, cancel);
            return (await Read(db, caller.Tenant, account, cancel)).FirstOrDefault();
        }
    }

    /// <summary>The account opens no more endpoints for the tenant; a claim of it is withdrawn. The last account stays.</summary>
    public static async Task<Results<NoContent, Problem>> Remove(
        string account, NetAutomationDb db, Caller caller, AuditLog audit, ReconcileSignal signal, CancellationToken cancel)
    {
        // Locked together, so that two removals cannot each leave the other's account as the last.
        var active = await db.Query<string>(
            $"select account from onboarding.tenant_account where tenant_id = {caller.Tenant.Value} and active order by account for update",
            cancel);
        if (active is [var only] && only == account)
        {
            return Problems.LastAccount.With();
        }

        var claims =
            await db.Execute(
                $"delete from onboarding.account_challenge where tenant_id = {caller.Tenant.Value} and account = {account}", cancel);
        if (claims + await TenantAccounts.Remove(db, caller.Tenant, account, cancel) == 0)
        {
            return Web.Problems.NotFound.With();
        }

        await audit.Append(caller, "account.removed", account, null, cancel);
        db.AfterCommit.Add(signal.Nudge);
        return TypedResults.NoContent();
    }

    private static async Task<List<AwsAccountView>> Read(NetAutomationDb db, TenantId tenant, string? account, CancellationToken cancel) =>
        [.. (await db.Query<Row>(
            $"""
            select account, 'active' as state, proven_by, created_at, null::text as nonce, null::timestamptz as expires_at
            from onboarding.tenant_account where tenant_id = {tenant.Value} and active and ({account}::text is null or account = {account})
            union all
            select account, 'pending', null, created_at, case when expires_at > now() then nonce end, expires_at
            from onboarding.account_challenge where tenant_id = {tenant.Value} and ({account}::text is null or account = {account})
            order by created_at desc, account
            """,
            cancel)).Select(row => new AwsAccountView(
                row.Account, row.State, row.ProvenBy, row.CreatedAt,
                row is { Nonce: { } nonce, ExpiresAt: { } expires }
                    ? new AccountChallengeView(CallerIdentity.Header, nonce, expires) : null))];

    private sealed record Row(
        string Account, string State, string? ProvenBy, DateTimeOffset CreatedAt, string? Nonce, DateTimeOffset? ExpiresAt);
}
