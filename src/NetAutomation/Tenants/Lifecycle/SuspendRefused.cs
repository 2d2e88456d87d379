using NetAutomation.Connections;
using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Suspends whom AWS Marketplace refuses as CustomerNotSubscribed, until it takes their usage again or confirms the agreement anew.
/// </summary>
internal sealed class SuspendRefused(SystemDb db, Suspension suspension, TenantDirectory directory, ReconcileSignal signal)
{
    public async Task Run(CancellationToken cancel)
    {
        foreach (var (id, refused) in await Changed(cancel))
        {
            var tenant = new TenantId(id);
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            if (refused)
            {
                await suspension.Begin(
                    tenant, Suspension.Marketplace, Suspension.Marketplace,
                    "AWS Marketplace does not know the customer as subscribed (CustomerNotSubscribed).", cancel);
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
