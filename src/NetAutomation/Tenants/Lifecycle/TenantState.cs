using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Agreements;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// The state of a tenant, which follows from its agreements and its suspension, and the consequences for its billing:
/// <code>
/// pending ──an agreement is active──▶ active ◀──▶ suspended (by an operator, or because AWS Marketplace does not know the customer)
///                                        └──the last one ended──▶ ended: reads only ──ReadsAfterEnd──▶ offboarded, for good
/// </code>
/// </summary>
internal sealed class TenantState(SystemDb db, IOptions<TenantsOptions> options)
{
    /// <summary>In the transaction that changed an agreement or the suspension.</summary>
    public async Task Settle(TenantId tenant, CancellationToken cancel)
    {
        var row = (await db.Query<Row>(
            $"""
            select suspended_at is not null as suspended, offboarding_at is not null as leaving
            from onboarding.tenant where tenant_id = {tenant.Value} for update
            """,
            cancel))[0];
        if (row.Leaving)
        {
            return;
        }

        var agreements =
            await db.Query<Agreement>($"select state, ended_at from onboarding.agreement where tenant_id = {tenant.Value}", cancel);
        var live = agreements.Exists(each => each.State is AgreementFold.Active or AgreementFold.Ending);
        var ended = live ? null : agreements.Max(each => each.EndedAt);
        var reads = options.Value.ReadsAfterEnd;
        var state = live ? row.Suspended ? "suspended" : "active" : ended is null ? "pending" : "ended";
        // The time to read begins when this service learns of the end, so a late event or registration shortens it for nobody.
        await db.Execute(
            $"""
            with settled as (
              select tenant_id, case when {ended}::timestamptz is not null then greatest(
                {ended}::timestamptz + {reads}, case when state = 'ended' then reads_until else now() + {reads} end) end as reads_until
              from onboarding.tenant where tenant_id = {tenant.Value})
            update onboarding.tenant t set state = {state}, reads_until = s.reads_until, changed_at = now() from settled s
            where t.tenant_id = s.tenant_id and (t.state, t.reads_until) is distinct from ({state}, s.reads_until)
            """,
            cancel);
        // In the hour of its last usage, a tenant may start nothing that costs.
        await BillingAccounts.Stop(
            db, tenant, stopped: state != "active" || !agreements.Exists(each => each.State == AgreementFold.Active), cancel);
    }

    private sealed record Row(bool Suspended, bool Leaving);

    private sealed record Agreement(string State, DateTimeOffset? EndedAt);
}
