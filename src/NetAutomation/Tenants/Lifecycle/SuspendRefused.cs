using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Suspends each tenant whom AWS Marketplace refuses as CustomerNotSubscribed, until Marketplace takes its usage again or confirms the
/// agreement again.
/// </summary>
internal sealed class SuspendRefused(SystemDb db, Suspension suspension)
{
    public async Task Run(CancellationToken cancel)
    {
        foreach (var (tenant, refused) in await Changed(cancel))
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            await (refused
                ? suspension.Begin(
                    tenant, Suspension.Marketplace, Suspension.Marketplace,
                    "AWS Marketplace does not know the customer as subscribed (CustomerNotSubscribed).", cancel)
                : suspension.End(tenant, Suspension.Marketplace, Suspension.Marketplace, cancel));
            await transaction.CommitAsync(cancel);
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

    private sealed record Row(TenantId TenantId, bool Refused);
}
