using System.Collections.Concurrent;
using NetAutomation.Connectors;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;

namespace NetAutomation.Runs;

/// <summary>
/// Lets a stream through only while its run is running and holds the device with this fence, by the database. Of a run with a guard also
/// while it is cancelled: what its changes came to has to be looked at. While the database is away,
/// its last answer is good for as long as a lease: no other worker can have the run in that time. A later dial waits a little.
/// Outside a run, a stream is let through while no run that writes holds the device, with a fence below that of every run to come.
/// </summary>
internal sealed class RunDialGate(IServiceScopeFactory scopes, TimeProvider clock) : IDialGate
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(8);

    // All devices of a run are held under one fence, and none is given up before the run ends or loses its fence.
    private readonly ConcurrentDictionary<(RunId Run, long Fence, bool Exclusive), long> _confirmed = new();

    public async Task<bool> MayDial(DeviceDial dial, CancellationToken cancel)
    {
        if (dial.Run is not { } run)
        {
            return await FenceOutsideRuns(dial.Tenant, dial.Device, cancel) is { } highest && dial.Fence <= highest;
        }

        var asked = clock.GetTimestamp();
        var key = (run, dial.Fence, dial.Exclusive);
        try
        {
            var may = await Ask(dial, run, cancel);
            if (may)
            {
                Remember(key, asked);
            }

            return may;
        }
        catch (Exception fault) when (Outage.Is(fault))
        {
            if (_confirmed.TryGetValue(key, out var at) && clock.GetElapsedTime(at) < RunQueue.Lease)
            {
                return true;
            }

            using var patience = cancel.Within(_patience);
            return await Outage.Retry(() => Ask(dial, run, patience.Token), clock, patience.Token);
        }
    }

    public async Task<long?> FenceOutsideRuns(TenantId tenant, DeviceId device, CancellationToken cancel)
    {
        // One statement sees the hold and the fence of a claim, or neither.
        var fences = await Query<long>(
            tenant,
            $"""
            select coalesce((select value from runs.fence_counter where tenant_id = {tenant.Value}), 0)
            where not exists (
              select from runs.device_hold where tenant_id = {tenant.Value} and device_id = {device.Value} and exclusive = 1)
            """,
            cancel);
        return fences is [var fence] ? fence : null;
    }

    private async Task<bool> Ask(DeviceDial dial, RunId run, CancellationToken cancel) =>
        (await Query<bool>(
            dial.Tenant,
            $"""
            select exists (
              select from runs.run r join runs.device_hold h on h.tenant_id = r.tenant_id and h.run_id = r.id
              where r.tenant_id = {dial.Tenant.Value} and r.id = {run.Value}
                and (r.state in {RunStates.Running} or (r.state in {RunStates.Cancelling} and r.guard is not null))
                and r.fence = {dial.Fence} and h.device_id = {dial.Device.Value} and h.fence = r.fence
                and h.exclusive = {(dial.Exclusive ? 1 : 0)}) as "Value"
            """,
            cancel))[0];

    private async Task<List<T>> Query<T>(TenantId tenant, FormattableString sql, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<NetAutomationDb>().QueryAs<T>(tenant, sql, cancel);
    }

    private void Remember((RunId, long, bool) key, long asked)
    {
        _confirmed[key] = asked;
        if (_confirmed.Count % 1000 == 0)
        {
            foreach (var old in _confirmed.Where(entry => clock.GetElapsedTime(entry.Value) > RunQueue.Lease))
            {
                _confirmed.TryRemove(old);
            }
        }
    }

    public async Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SystemDb>().Execute(
            $"""
            insert into runs.fence_counter as c (tenant_id, value) values ({tenant.Value}, {fence})
            on conflict (tenant_id) do update set value = excluded.value where c.value < excluded.value
            """,
            cancel);
    }
}
