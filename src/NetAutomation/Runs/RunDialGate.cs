using System.Collections.Concurrent;
using NetAutomation.Connectors;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;

namespace NetAutomation.Runs;

/// <summary>
/// Lets a stream through only while its run is running and holds the device with this fence, by the database. While the database is away,
/// its last answer is good for as long as a lease: no other worker can have the run in that time. A later dial waits a little.
/// </summary>
internal sealed class RunDialGate(IServiceScopeFactory scopes, TimeProvider clock) : IDialGate
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(8);

    // All devices of a run are held under one fence, and none is given up before the run ends or loses its fence.
    private readonly ConcurrentDictionary<(RunId Run, long Fence, bool Exclusive), long> _confirmed = new();

    public async Task<bool> MayDial(DeviceDial dial, CancellationToken cancel)
    {
        var asked = clock.GetTimestamp();
        var key = (dial.Run!.Value, dial.Fence, dial.Exclusive);
        try
        {
            var may = await Ask(dial, cancel);
            if (may)
            {
                Remember(key, asked);
            }

            return may;
        }
        catch (Exception fault) when (DatabaseOutage.Is(fault))
        {
            if (_confirmed.TryGetValue(key, out var at) && clock.GetElapsedTime(at) < RunQueue.Lease)
            {
                return true;
            }

            using var patience = cancel.Within(_patience);
            return await DatabaseOutage.Retry(() => Ask(dial, patience.Token), clock, patience.Token);
        }
    }

    private async Task<bool> Ask(DeviceDial dial, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        return (await db.QueryAs<bool>(
            dial.Tenant,
            $"""
            select exists (
              select from runs.run r join runs.device_hold h on h.tenant_id = r.tenant_id and h.run_id = r.id
              where r.tenant_id = {dial.Tenant.Value} and r.id = {dial.Run!.Value.Value} and r.state in {RunStates.Running}
                and r.fence = {dial.Fence} and h.device_id = {dial.Device.Value} and h.fence = r.fence
                and h.exclusive = {(dial.Exclusive ? 1 : 0)}) as "Value"
            """,
            cancel))[0];
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
