using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Begins with those whose time to read is over, and goes on with those that were begun. One that fails holds up no other.
/// </summary>
internal sealed partial class OffboardEnded(SystemDb db, Offboard offboard, ILogger<OffboardEnded> log)
{
    public async Task Run(CancellationToken cancel)
    {
        // Who was tried longest ago first: any number that waits for something holds up no other.
        var due = await db.Query<TenantId>(
            $"""
            update onboarding.tenant set offboarding_tried_at = now() where tenant_id in (
              select tenant_id from onboarding.tenant where state = 'ended' and offboarded_at is null and (offboarding_at is not null or reads_until <= now())
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
                    // Looked at again under the lock: it may have subscribed again.
                    var begin = await db.Scalar<bool>(
                        $"select state = 'ended' and (offboarding_at is not null or reads_until <= now()) as \"Value\" from onboarding.tenant where tenant_id = {tenant.Value} for update",
                        cancel);
                    if (!begin || !await offboard.Begin(tenant, "service", "service", "The agreement ended.", cancel))
                    {
                        continue;
                    }

                    await transaction.CommitAsync(cancel);
                    db.AfterCommit.ForEach(each => each());
                    db.AfterCommit.Clear();
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
