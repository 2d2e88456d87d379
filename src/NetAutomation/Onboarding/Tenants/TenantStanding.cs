using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Onboarding.Agreements;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Tenants;

/// <summary>
/// The state of a tenant, which is what its agreements and its suspension say together; and what follows for its billing:
/// <code>
/// pending ──an agreement is active──▶ active ◀──▶ suspended (by an operator, or because AWS Marketplace does not know the customer)
///                                        └──the last one ended──▶ ended: reads only ──ReadsAfterEnd──▶ offboarded, for good
/// </code>
/// </summary>
internal sealed class TenantStanding(SystemDb db, IOptions<OnboardingOptions> options)
{
    /// <summary>In the transaction that changed an agreement or the suspension.</summary>
    public async Task Settle(TenantId tenant, CancellationToken cancel)
    {
        var row = (await db.Query<Row>(
            $"""
            select suspended_at is not null as suspended, offboarding_at is not null as leaving from onboarding.tenant where tenant_id = {tenant.Value} for update
            """,
            cancel))[0];
        if (row.Leaving)
        {
            return;
        }

        var agreements = await db.Query<Agreement>($"select state, ended_at from onboarding.agreement where tenant_id = {tenant.Value}", cancel);
        var live = agreements.Exists(each => each.State is AgreementFold.Active or AgreementFold.Ending);
        var ended = live ? null : agreements.Max(each => each.EndedAt);
        var readsUntil = ended + options.Value.ReadsAfterEnd;
        var state = live ? row.Suspended ? "suspended" : "active" : ended is null ? "pending" : "ended";
        await db.Execute(
            $"""
            update onboarding.tenant set state = {state}, reads_until = {readsUntil}, changed_at = now()
            where tenant_id = {tenant.Value} and (state, reads_until) is distinct from ({state}, {readsUntil})
            """,
            cancel);
        // In the hour of its last usage a tenant starts nothing more that costs.
        await BillingAccounts.Stop(db, tenant, stopped: state != "active" || !agreements.Exists(each => each.State == AgreementFold.Active), cancel);
    }

    private sealed record Row(bool Suspended, bool Leaving);

    private sealed record Agreement(string State, DateTimeOffset? EndedAt);
}
