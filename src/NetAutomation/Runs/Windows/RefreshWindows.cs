using NetAutomation.Persistence;

namespace NetAutomation.Runs.Windows;

/// <summary>Keeps the rows by which claims know the windows up to date with labels and with time.</summary>
internal sealed class RefreshWindows(SystemDb system, NetAutomationDb db, WindowCalendars windows)
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(10);

    public async Task Sweep(CancellationToken cancel)
    {
        foreach (
            var tenant in await system.Query<Guid>(
                $"select distinct tenant_id from runs.maintenance_window where refreshed_at < now() - {_every}", cancel))
        {
            await using var transaction = await db.Begin(new TenantId(tenant), cancel);
            var mine = await db.Execute(
                $"""
                update runs.maintenance_window set refreshed_at = now() where tenant_id = {tenant} and id in (
                  select id from runs.maintenance_window
                  where tenant_id = {tenant} and refreshed_at < now() - {_every} for update skip locked)
                """,
                cancel);
            if (mine > 0)
            {
                await windows.Refresh(new TenantId(tenant), cancel);
                await transaction.CommitAsync(cancel);
            }
        }
    }
}
