using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Accounts;
using NetAutomation.Web;

namespace NetAutomation.Tenants;

/// <summary>Proves an account by the request that its holder signed. Calls AWS between two transactions, never inside one.</summary>
internal sealed class ProveAccount(NetAutomationDb db, CallerIdentity identity, ReconcileSignal signal)
{
    /// <summary>Null where the account is proven now.</summary>
    public async Task<Problem?> Prove(Claimant by, string account, string url, CancellationToken cancel)
    {
        if (!AwsAccount.IsNumber(account))
        {
            return Problems.NoChallenge.With();
        }

        Challenge challenge;
        await using (var transaction = await db.Begin(by.Tenant, cancel))
        {
            if ((await AccountChallenges.Try(db, by.Tenant, account, cancel)).Refused(out var refused, out challenge))
            {
                return refused;
            }

            await transaction.CommitAsync(cancel);
        }

        if ((await identity.Account(url, challenge.Nonce, cancel)).Refused(out var unproven, out var signer))
        {
            return unproven;
        }

        if (signer != account)
        {
            return Problems.BadProof.At("/url", "other_account", "Another account signed it.");
        }

        await using var last = await db.Begin(by.Tenant, cancel);
        if (!await AccountChallenges.Accept(db, by, challenge, cancel))
        {
            return Problems.NoChallenge.With();
        }

        await last.CommitAsync(cancel);
        signal.Nudge();
        return null;
    }
}
