using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Runs;

/// <summary>Reads a tenant's windows, and writes ahead the rows by which a claim knows them. Works in the caller's transaction.</summary>
internal sealed partial class WindowCalendars(
    NetAutomationDb db, Evaluations evaluations, TimeProvider clock, ILogger<WindowCalendars> log)
{
    // Intervals are written again when this part of the time for which they are known has passed.
    private const int Parts = 14;
    private static readonly TimeSpan _ahead = TimeSpan.FromDays(14);
    private static readonly TimeSpan _putAside = TimeSpan.FromHours(1);

    /// <param name="devices">Those that the calendar is asked about, in order.</param>
    public async Task<WindowCalendar> Load(TenantId tenant, IReadOnlyList<DeviceId> devices, CancellationToken cancel)
    {
        var windows = new List<MaintenanceWindow>();
        var known = (await db.Query<Known>(
            $"""
            select window_id, array_agg(starts_at order by starts_at) as starts, array_agg(ends_at order by starts_at) as ends
            from runs.window_interval where tenant_id = {tenant.Value} group by window_id
            """,
            cancel)).ToDictionary(each => each.WindowId);
        foreach (var row in await Read(tenant, null, cancel))
        {
            var selected = row.Selector is null
                ? null : (await TargetResolver.Matching(db, row.Selector, cancel)).Value.Select(id => new DeviceId(id)).ToHashSet();
            windows.Add(
                new MaintenanceWindow(
                    new WindowId(row.Id), row.Name, row.Kind == "deny", row.Starts, TimeSpan.FromMinutes(row.Minutes), selected,
                    new(known.GetValueOrDefault(row.Id)?.Intervals ?? [], row.KnownUntil)));
        }

        return new WindowCalendar(windows, devices, evaluations.Begin(cancel));
    }

    /// <summary>
    /// Brings up to date which devices the windows select, and extends the intervals that do not reach far enough. A window whose rule
    /// costs too much keeps those it has: after them nothing starts that it covers. A request leaves what its budget is too small for to
    /// the loop, in which each window has its own.
    /// </summary>
    public async Task Refresh(TenantId tenant, CancellationToken cancel)
    {
        foreach (var row in await Read(tenant, null, cancel))
        {
            await RefreshDevices(tenant, row, cancel);
            if (!row.Short)
            {
                continue;
            }

            try
            {
                await Extend(tenant, row, cancel);
            }
            catch (TooCostlyException) when (evaluations.OfRequest)
            {
                // Perhaps not this window's fault: others may have used the budget up.
            }
            catch (TooCostlyException costly)
            {
                Log.PutAside(log, new WindowId(row.Id), costly.Message);
                await db.Execute(
                    $"""
                    update runs.maintenance_window set extend_at = {clock.GetUtcNow() + _putAside}
                    where tenant_id = {tenant.Value} and id = {row.Id}
                    """,
                    cancel);
            }
        }
    }

    /// <summary>Writes all rows of a window that is new or has changed.</summary>
    public async Task Rewrite(TenantId tenant, WindowId window, CancellationToken cancel)
    {
        var row = (await Read(tenant, window.Value, cancel))[0];
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

    /// <summary>Writes the intervals from now on.</summary>
    private async Task Extend(TenantId tenant, Row row, CancellationToken cancel)
    {
        var (now, length) = (clock.GetUtcNow(), TimeSpan.FromMinutes(row.Minutes));
        var intervals = WindowIntervals.From(row.Starts.After(now - length, evaluations.Begin(cancel)), length, now + _ahead);
        var starts = intervals.Items.Select(interval => interval.Start.UtcDateTime).ToArray();
        var ends = intervals.Items.Select(interval => interval.End.UtcDateTime).ToArray();
        await db.Execute($"delete from runs.window_interval where tenant_id = {tenant.Value} and window_id = {row.Id}", cancel);
        await db.Execute(
            $"""
            insert into runs.window_interval (tenant_id, window_id, starts_at, ends_at)
            select {tenant.Value}, {row.Id}, s, e from unnest({starts}, {ends}) as i (s, e) on conflict do nothing
            """,
            cancel);
        await db.Execute(
            $"""
            update runs.maintenance_window
            set known_until = {intervals.Until}, extend_at = {now + ((intervals.Until - now) / Parts)}
            where tenant_id = {tenant.Value} and id = {row.Id}
            """,
            cancel);
    }

    private Task<List<Row>> Read(TenantId tenant, Guid? id, CancellationToken cancel) => db.Query<Row>(
        $"""
        select id, name, kind, cron, rrule, anchor, last, time_zone, minutes, selector, greatest(known_until, 'epoch') as known_until,
          extend_at < now() as short
        from runs.maintenance_window where tenant_id = {tenant.Value} and ({id}::uuid is null or id = {id}) order by id
        """,
        cancel);

    private sealed record Row(
        Guid Id, string Name, string Kind, string? Cron, string? Rrule, DateTime Anchor, DateTime? Last, string TimeZone, int Minutes,
        string? Selector, DateTimeOffset KnownUntil, bool Short)
    {
        public Recurrence Starts => Recurrence.Stored(Cron, Rrule, TimeZone, Anchor, Last);
    }

    private sealed record Known(Guid WindowId, DateTime[] Starts, DateTime[] Ends)
    {
        public IReadOnlyList<WindowInterval> Intervals =>
            [.. Starts.Zip(Ends, (start, end) => new WindowInterval(new(start), new(end)))];
    }

    private static partial class Log
    {
        [LoggerMessage(706, LogLevel.Warning, "Window {Window} is put aside for an hour: {Reason} to find its next openings")]
        public static partial void PutAside(ILogger logger, WindowId window, string reason);
    }
}
