using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Runs;

/// <summary>Reads a tenant's windows, and writes ahead the rows by which a claim knows them. Works in the caller's transaction.</summary>
internal sealed class WindowCalendars(NetAutomationDb db, TimeProvider clock)
{
    private static readonly TimeSpan _ahead = TimeSpan.FromDays(14);

    public async Task<WindowCalendar> Load(TenantId tenant, CancellationToken cancel)
    {
        var windows = new List<MaintenanceWindow>();
        foreach (var row in await Read(tenant, null, cancel))
        {
            var devices = row.Selector is null
                ? null : (await TargetResolver.Matching(db, row.Selector, cancel)).Value.Select(id => new DeviceId(id)).ToHashSet();
            windows.Add(
                new MaintenanceWindow(
                    new WindowId(row.Id), row.Name, row.Kind == "deny", row.Starts, TimeSpan.FromMinutes(row.Minutes), devices));
        }

        return new WindowCalendar(windows);
    }

    /// <summary>Brings up to date which devices the windows select, and extends the intervals that do not reach far enough.</summary>
    public async Task Refresh(TenantId tenant, CancellationToken cancel)
    {
        foreach (var row in await Read(tenant, null, cancel))
        {
            await RefreshDevices(tenant, row, cancel);
            if (row.Short)
            {
                await Extend(tenant, row, cancel);
            }
        }
    }

    /// <summary>Writes all rows of a window that is new or has changed.</summary>
    public async Task Rewrite(TenantId tenant, WindowId window, CancellationToken cancel)
    {
        var row = (await Read(tenant, window.Value, cancel))[0];
        await db.Execute($"delete from runs.window_interval where tenant_id = {tenant.Value} and window_id = {row.Id}", cancel);
        await RefreshDevices(tenant, row, cancel);
        await Extend(tenant, row, cancel);
    }

    private async Task RefreshDevices(TenantId tenant, Row row, CancellationToken cancel)
    {
        var devices = row.Selector is null ? [] : (await TargetResolver.Matching(db, row.Selector, cancel)).Value;
        await db.Execute(
            $"delete from runs.window_device where tenant_id = {tenant.Value} and window_id = {row.Id} and device_id <> all ({devices})",
            cancel);
        await db.Execute(
            $"""
            insert into runs.window_device (tenant_id, window_id, device_id)
            select {tenant.Value}, {row.Id}, d from unnest({devices}) d on conflict do nothing
            """,
            cancel);
    }

    private async Task Extend(TenantId tenant, Row row, CancellationToken cancel)
    {
        var (now, length) = (clock.GetUtcNow(), TimeSpan.FromMinutes(row.Minutes));
        var until = now + _ahead;
        var starts = row.Starts.After(now - length).TakeWhile(start => start <= until).Select(start => start.UtcDateTime).ToArray();
        await db.Execute(
            $"delete from runs.window_interval where tenant_id = {tenant.Value} and window_id = {row.Id} and ends_at < now()", cancel);
        await db.Execute(
            $"""
            insert into runs.window_interval (tenant_id, window_id, starts_at, ends_at)
            select {tenant.Value}, {row.Id}, s, s + {length} from unnest({starts}) s on conflict do nothing
            """,
            cancel);
        await db.Execute(
            $"update runs.maintenance_window set known_until = {until} where tenant_id = {tenant.Value} and id = {row.Id}", cancel);
    }

    private Task<List<Row>> Read(TenantId tenant, Guid? id, CancellationToken cancel) => db.Query<Row>(
        $"""
        select id, name, kind, cron, rrule, anchor, time_zone, minutes, selector, known_until < now() + interval '13 days' as short
        from runs.maintenance_window where tenant_id = {tenant.Value} and ({id}::uuid is null or id = {id}) order by id
        """,
        cancel);

    private sealed record Row(
        Guid Id, string Name, string Kind, string? Cron, string? Rrule, DateTime Anchor, string TimeZone, int Minutes, string? Selector,
        bool Short)
    {
        public Recurrence Starts => Recurrence.Stored(Cron, Rrule, TimeZone, Anchor);
    }
}
