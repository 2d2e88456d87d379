using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Begins to offboard tenants whose time to read is over, and continues with those that were begun. A tenant that fails delays no other.
/// </summary>
internal sealed partial class OffboardEnded(SystemDb db, Offboard offboard, ILogger<OffboardEnded> log)
{
    public async Task Run(CancellationToken cancel)
    {
        // The tenant that was tried longest ago comes first, so tenants that have to wait delay no other.
        var due = await db.Query<TenantId>(
            $"""
            update onboarding.tenant set offboarding_tried_at = now() where tenant_id in (
              select tenant_id from onboarding.tenant
              where state = 'ended' and offboarded_at is null and (offboarding_at is not null or reads_until <= now())
              order by offboarding_tried_at nulls first, reads_until limit 100)
            returning tenant_id
            """,
            cancel);
        foreach (var tenant in due)
        {
            try
            {
                await using (var transaction = await db.Database.BeginTransactionAsync(cancel))
                {
                    await Offboard.Lock(db, tenant, cancel);
                    // Read again under the lock: the customer may have subscribed again.
                    var begin = await db.Scalar<bool>(
                        $"""
                        select state = 'ended' and (offboarding_at is not null or reads_until <= now()) from onboarding.tenant
                        where tenant_id = {tenant.Value} for update
                        """,
                        cancel);
                    if (!begin || !await offboard.Begin(tenant, "service", "service", "The agreement ended.", cancel))
                    {
                        continue;
                    }

                    await transaction.CommitAsync(cancel);
                }

                if (await offboard.Go(tenant, cancel))
                {
                    Log.Done(log, tenant);
                }
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, tenant, fault);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(305, LogLevel.Information, "Tenant {Tenant} is offboarded")]
        public static partial void Done(ILogger logger, TenantId tenant);

        [LoggerMessage(306, LogLevel.Error, "Tenant {Tenant} could not be offboarded yet")]
        public static partial void Failed(ILogger logger, TenantId tenant, Exception exception);
    }
}
