using System.Buffers.Text;
using System.Security.Cryptography;
using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Accounts;
using NetAutomation.Web;

namespace NetAutomation.Tenants;

/// <summary>The value that a proof signs, in the header <see cref="CallerIdentity.Header"/>.</summary>
internal sealed record Challenge(string Account, string Nonce, DateTimeOffset ExpiresAt);

/// <summary>Who claims or proves an account, for the audit.</summary>
internal sealed record Claimant(TenantId Tenant, string Principal, string Member, string? EndpointId)
{
    public static Claimant Of(Caller caller) => new(caller.Tenant, $"{caller.MemberId}", caller.Member, caller.EndpointId);
}

/// <summary>
/// Claims and proofs of the AWS accounts from which a tenant may open endpoints. The claimant signs a request to AWS STS with the account's
/// credentials, over a value that this service chose; or a person at the provider approves the account. Where two tenants have proven one
/// account, the provider decides to which of them each endpoint belongs.
/// </summary>
internal static class AccountChallenges
{
    private static readonly TimeSpan _life = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Makes a new challenge in the caller's transaction. It replaces an earlier one of the account, whose attempts still count until
    /// it would have expired.
    /// </summary>
    public static async Task<Outcome<Challenge>> Claim(NetAutomationDb db, Claimant by, string account, CancellationToken cancel)
    {
        if (!AwsAccount.IsNumber(account))
        {
            return Web.Problems.Refused.At("/account", "not_an_account", "12 digits.");
        }

        var tenant = by.Tenant.Value;
        if (await db.Scalar<bool>(
            $"select exists (select from onboarding.tenant_account where tenant_id = {tenant} and account = {account} and active)", cancel))
        {
            return Problems.AccountKnown.With();
        }

        // Two at once must not both take the last place. What is claimed already takes no other.
        db.SendWithNext($"select web.take({tenant}, 'aws_accounts', 0)");
        await db.Execute(
            $"""
            select web.refuse_above({tenant}, 'aws_accounts', used, 1) from web.limits({tenant})
            where name = 'aws_accounts'
              and not exists (select from onboarding.account_challenge where tenant_id = {tenant} and account = {account})
            """,
            cancel);

        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var challenge = (await db.Query<Challenge>(
            $"""
            insert into onboarding.account_challenge (tenant_id, account, nonce, expires_at, requested_by, member)
            values ({tenant}, {account}, {nonce}, now() + {_life}, {by.Principal}, {by.Member})
            on conflict (tenant_id, account) do update set nonce = excluded.nonce,
              attempts = case when account_challenge.expires_at > now() then account_challenge.attempts else 0 end,
              expires_at = case when account_challenge.expires_at > now() and account_challenge.attempts = 10
                then account_challenge.expires_at else excluded.expires_at end
            returning account, nonce, expires_at
            """,
            cancel))[0];
        await new AuditLog(db).Append(by.Tenant, by.Principal, by.Member, by.EndpointId, "account.claimed", account, null, cancel);
        return challenge;
    }

    /// <summary>Counts the attempt, so that nobody can use a challenge to make this service send requests without end.</summary>
    public static async Task<Outcome<Challenge>> Try(NetAutomationDb db, TenantId tenant, string account, CancellationToken cancel)
    {
        var tried = await db.Query<Challenge>(
            $"""
            update onboarding.account_challenge set attempts = attempts + 1
            where tenant_id = {tenant.Value} and account = {account} and expires_at > now() and attempts < 10
            returning account, nonce, expires_at
            """,
            cancel);
        return tried is [var challenge] ? challenge : Problems.NoChallenge.With();
    }

    /// <summary>The account is proven. False where the challenge was used, renewed or has expired meanwhile.</summary>
    public static async Task<bool> Accept(NetAutomationDb db, Claimant by, Challenge challenge, CancellationToken cancel)
    {
        var tenant = by.Tenant.Value;
        if (await db.Execute(
            $"""
            delete from onboarding.account_challenge
            where tenant_id = {tenant} and account = {challenge.Account} and nonce = {challenge.Nonce} and expires_at > now()
            """,
            cancel) == 0)
        {
            return false;
        }

        await db.Execute(
            $"""
            insert into onboarding.tenant_account (tenant_id, account, proven_by) values ({tenant}, {challenge.Account}, 'sts')
            on conflict (tenant_id, account) do update set active = true, removed_at = null, proven_by = 'sts'
            """,
            cancel);
        await new AuditLog(db)
            .Append(
                by.Tenant, by.Principal, by.Member, by.EndpointId, "account.added", challenge.Account, new { provenBy = "sts" }, cancel);
        return true;
    }
}
