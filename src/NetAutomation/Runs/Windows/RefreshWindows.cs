using NetAutomation.Persistence;

namespace NetAutomation.Runs.Windows;

/// <summary>Keeps the rows by which claims know the windows up to date with labels and with time.</summary>
internal sealed partial class RefreshWindows(SystemDb system, IServiceScopeFactory scopes, ILogger<RefreshWindows> log)
{
    /// <summary>Each tenant has one turn of bounded work; what is left waits for the next sweep.</summary>
    public async Task Sweep(CancellationToken cancel)
    {
        foreach (
            var tenant in await system.Query<Guid>(
                $"""
                select tenant_id from runs.maintenance_window where extend_at < now()
                union select tenant_id from runs.relabelled_device
                """,
                cancel))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await Refresh(scope.ServiceProvider, new TenantId(tenant), cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested
                && (Outage.IsContention(fault) || !Outage.Is(fault)))
            {
                Log.Failed(log, new TenantId(tenant), fault);
            }
        }
    }

    private static async Task Refresh(IServiceProvider services, TenantId tenant, CancellationToken cancel)
    {
        var db = services.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        // A tenant whose locks are held has its turn in the next sweep; the others do not wait for it.
        db.SendWithNext($"select set_config('lock_timeout', '1s', true)");
        await services.GetRequiredService<WindowCalendars>().Refresh(tenant, cancel);
        await transaction.CommitAsync(cancel);
    }

    private static partial class Log
    {
        [LoggerMessage(705, LogLevel.Error, "The windows of {Tenant} could not be refreshed")]
        public static partial void Failed(ILogger logger, TenantId tenant, Exception exception);
    }
}
