using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Runs;

/// <summary>Reads a tenant's windows, and writes ahead the rows by which a claim knows them. Works in the caller's transaction.</summary>
internal sealed partial class WindowCalendars(
    NetAutomationDb db, Evaluations evaluations, TimeProvider clock, ILogger<WindowCalendars> log)
{
    // Intervals are written again when this part of the time for which they are known has passed.
    private const int Parts = 14;

    // Of a tenant with the longest labels and as many windows as it may have, some tenths of a second.
    private const int AtOnce = 200;
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
        var rows = await Read(tenant, cancel);
        var selected = rows.Exists(row => row.Selector is not null) ? await Selected(tenant, rows, devices, cancel) : [];
        foreach (var row in rows)
        {
            windows.Add(
                new MaintenanceWindow(
                    new WindowId(row.Id), row.Name, row.Kind == "deny", row.Starts, TimeSpan.FromMinutes(row.Minutes),
                    row.Selector is null ? null : selected.GetValueOrDefault(row.Id) ?? [],
                    new(known.GetValueOrDefault(row.Id)?.Intervals ?? [], row.KnownUntil)));
        }

        return new WindowCalendar(windows, devices, evaluations.Begin(cancel));
    }

    /// <summary>
    /// Extends the intervals that do not reach far enough, and looks at some of the devices that changed. A window whose rule costs too
    /// much keeps the intervals it has: after them nothing starts that it covers. A request leaves what its budget is too small for to the
    /// loop, in which each window has its own.
    /// </summary>
    /// <param name="among">Looks at these devices only.</param>
    public async Task Refresh(TenantId tenant, CancellationToken cancel, IEnumerable<DeviceId>? among = null)
    {
        // Another one may be at the same windows: who changes a window has its row first and the tenant's quota then.
        var ends = await db.Query<Guid>(
            $"""
            select id from runs.maintenance_window where tenant_id = {tenant.Value} and extend_at < now()
            order by id for update skip locked
            """,
            cancel);
        var rows = ends.Count > 0 ? (await Read(tenant, cancel)).Where(row => ends.Contains(row.Id)) : [];
        foreach (var row in rows)
        {
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

        await LookAtChanged(tenant, among?.Select(id => id.Value).ToArray(), cancel);
    }

    /// <summary>Writes all rows of a window that is new or has changed.</summary>
    public async Task Rewrite(TenantId tenant, WindowId window, CancellationToken cancel)
    {
        // A device that changes meanwhile is looked at after this commit, with the window.
        await Lock(tenant, cancel);
        var row = (await Read(tenant, cancel)).Single(each => each.Id == window.Value);
        var devices = row.Selector is null
            ? [] : await TargetResolver.Matching(db, row.Selector, evaluations.Begin(cancel), cancel);
        await db.Execute(
            $"delete from runs.window_device where tenant_id = {tenant.Value} and window_id = {row.Id} and device_id <> all ({devices})",
            cancel);
        await Insert(tenant, row, devices, cancel);
        await Extend(tenant, row, cancel);
    }

    /// <summary>
    /// The devices that windows select, as they are stored; those that changed since are looked at again. What changed is read first: it
    /// may be stored between the two.
    /// </summary>
    private async Task<Dictionary<Guid, HashSet<DeviceId>>> Selected(
        TenantId tenant, List<Row> rows, IReadOnlyList<DeviceId> devices, CancellationToken cancel)
    {
        Guid[] ids = [.. devices.Select(id => id.Value)];
        var (changed, stored) = await db.Query<Guid, Selection>(
            $"""
            select distinct device_id from runs.relabelled_device where tenant_id = {tenant.Value} and device_id = any ({ids})
            """,
            $"""
            select window_id, array_agg(device_id) as devices from runs.window_device
            where tenant_id = {tenant.Value} and device_id = any ({ids}) group by window_id
            """,
            cancel);
        var selected = stored.ToDictionary(each => each.WindowId, each => each.Devices.Select(id => new DeviceId(id)).ToHashSet());
        var budget = evaluations.Begin(cancel);
        foreach (var row in rows.Where(row => row.Selector is not null && changed.Count > 0))
        {
            var now = await TargetResolver.Matching(db, row.Selector!, [.. changed], budget, cancel);
            var set = selected.GetValueOrDefault(row.Id) ?? [];
            set.ExceptWith(changed.Select(id => new DeviceId(id)));
            set.UnionWith(now.Select(id => new DeviceId(id)));
            selected[row.Id] = set;
        }

        return selected;
    }

    /// <summary>
    /// Stores which windows select the devices that changed, <see cref="AtOnce"/> changes at a time: what is left waits for the next time,
    /// and until then nothing starts on it that such a window might keep.
    /// </summary>
    private async Task LookAtChanged(TenantId tenant, Guid[]? among, CancellationToken cancel)
    {
        // Nearly always there is none, and no look for each of ten thousand devices is needed.
        if (!await db.Scalar<bool>($"select exists (select from runs.relabelled_device where tenant_id = {tenant.Value})", cancel))
        {
            return;
        }

        var which = RunFilter.When(among, $"and device_id = any ({among})");
        await Lock(tenant, cancel);
        var changed = (await db.Query<Guid>(
            $"""
            delete from runs.relabelled_device where tenant_id = {tenant.Value} and seq in (
              select seq from runs.relabelled_device where tenant_id = {tenant.Value} {which} order by seq limit {AtOnce})
            returning device_id
            """,
            cancel)).Distinct().ToArray();
        var rows = changed.Length > 0 ? await Read(tenant, cancel) : [];
        foreach (var row in rows.Where(row => row.Selector is not null))
        {
            var devices = await TargetResolver.Matching(db, row.Selector!, changed, budget: null, cancel);
            await db.Execute(
                $"""
                delete from runs.window_device
                where tenant_id = {tenant.Value} and window_id = {row.Id} and device_id = any ({changed}) and device_id <> all ({devices})
                """,
                cancel);
            await Insert(tenant, row, devices, cancel);
        }
    }

    private Task<int> Lock(TenantId tenant, CancellationToken cancel) =>
        db.Execute($"select runs.lock_quota({tenant.Value})", cancel);

    private Task<int> Insert(TenantId tenant, Row row, Guid[] devices, CancellationToken cancel) => db.Execute(
        $"""
        insert into runs.window_device (tenant_id, window_id, device_id)
        select {tenant.Value}, {row.Id}, d from unnest({devices}) d on conflict do nothing
        """,
        cancel);

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

    private Task<List<Row>> Read(TenantId tenant, CancellationToken cancel) => db.Query<Row>(
        $"""
        select id, name, kind, cron, rrule, anchor, last, time_zone, minutes, selector, greatest(known_until, 'epoch') as known_until
        from runs.maintenance_window where tenant_id = {tenant.Value} order by id
        """,
        cancel);

    private sealed record Row(
        Guid Id, string Name, string Kind, string? Cron, string? Rrule, DateTime Anchor, DateTime? Last, string TimeZone, int Minutes,
        string? Selector, DateTimeOffset KnownUntil)
    {
        public Recurrence Starts => Recurrence.Stored(Cron, Rrule, TimeZone, Anchor, Last);
    }

    private sealed record Selection(Guid WindowId, Guid[] Devices);

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
