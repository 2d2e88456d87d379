using NetAutomation.Onboarding.Connections;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Quartz;

namespace NetAutomation.Onboarding.Tenants;

/// <summary>Reads and cancels only, in the caller's transaction.</summary>
internal sealed class Suspension(SystemDb db, TenantStanding standing)
{
    public const string Marketplace = "marketplace";

    public async Task Begin(TenantId tenant, string principal, string by, string reason, CancellationToken cancel)
    {
        await db.Execute(
            $"""
            update onboarding.tenant set suspended_at = now(), suspended_by = {by}, suspended_reason = {reason}
            where tenant_id = {tenant.Value} and (suspended_at is null or (suspended_by = {Marketplace} and {by} <> {Marketplace}))
            """,
            cancel);
        await standing.Settle(tenant, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, "tenant.suspended", $"{tenant}", new { reason }, cancel);
    }

    public async Task End(TenantId tenant, string principal, string by, CancellationToken cancel)
    {
        // What an operator took over meanwhile is not Marketplace's to lift.
        var ended = await db.Execute(
            $"""
            update onboarding.tenant set suspended_at = null, suspended_by = null, suspended_reason = null
            where tenant_id = {tenant.Value} and ({by} <> {Marketplace} or suspended_by = {Marketplace})
            """,
            cancel);
        if (ended == 0)
        {
            return;
        }

        await standing.Settle(tenant, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, "tenant.active", $"{tenant}", null, cancel);
    }
}

/// <summary>Suspends whom AWS Marketplace refuses as CustomerNotSubscribed, until it takes their usage again or confirms the agreement anew.</summary>
[DisallowConcurrentExecution]
internal sealed class SuspendRefused(SystemDb db, Suspension suspension, TenantDirectory directory, ReconcileSignal signal) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await Run(cancellationToken);

    public async Task Run(CancellationToken cancel)
    {
        foreach (var (id, refused) in await Changed(cancel))
        {
            var tenant = new TenantId(id);
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            if (refused)
            {
                await suspension.Begin(tenant, Suspension.Marketplace, Suspension.Marketplace, "AWS Marketplace does not know the customer as subscribed (CustomerNotSubscribed).", cancel);
            }
            else
            {
                await suspension.End(tenant, Suspension.Marketplace, Suspension.Marketplace, cancel);
            }

            await transaction.CommitAsync(cancel);
            directory.Forget();
            signal.Nudge();
        }
    }

    private Task<List<Row>> Changed(CancellationToken cancel) => db.Query<Row>(
        $"""
        select t.tenant_id, t.suspended_at is null as refused
        from onboarding.tenant t
        join billing.account a on a.tenant_id = t.tenant_id
        join billing.payer p on p.tenant_id = a.tenant_id and p.id = a.payer_id
        where (t.state = 'active' and a.channel = 'marketplace' and p.refused_at is not null)
           or (t.suspended_by = {Suspension.Marketplace} and (a.channel <> 'marketplace' or p.refused_at is null))
        """,
        cancel);

    private sealed record Row(Guid TenantId, bool Refused);
}
