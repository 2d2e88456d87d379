using NetAutomation.Persistence;

namespace NetAutomation.Runs.Windows;

/// <summary>Keeps the rows by which claims know the windows up to date with labels and with time.</summary>
internal sealed partial class RefreshWindows(SystemDb system, IServiceScopeFactory scopes, ILogger<RefreshWindows> log)
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(10);

    public async Task Sweep(CancellationToken cancel)
    {
        foreach (
            var tenant in await system.Query<Guid>(
                $"select distinct tenant_id from runs.maintenance_window where refreshed_at < now() - {_every}", cancel))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await Refresh(scope.ServiceProvider, new TenantId(tenant), cancel);
            }
            catch (Exception fault) when (fault is not OperationCanceledException && !DatabaseOutage.Is(fault))
            {
                Log.Failed(log, new TenantId(tenant), fault);
            }
        }
    }

    private static async Task Refresh(IServiceProvider services, TenantId tenant, CancellationToken cancel)
    {
        var db = services.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        var mine = await db.Execute(
            $"""
            update runs.maintenance_window set refreshed_at = now() where tenant_id = {tenant.Value} and id in (
              select id from runs.maintenance_window
              where tenant_id = {tenant.Value} and refreshed_at < now() - {_every} for update skip locked)
            """,
            cancel);
        if (mine > 0)
        {
            await services.GetRequiredService<WindowCalendars>().Refresh(tenant, cancel);
            await transaction.CommitAsync(cancel);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(705, LogLevel.Error, "The windows of {Tenant} could not be refreshed")]
        public static partial void Failed(ILogger logger, TenantId tenant, Exception exception);
    }
}
