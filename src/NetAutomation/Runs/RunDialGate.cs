using NetAutomation.Connectors;
using NetAutomation.Persistence;

namespace NetAutomation.Runs;

/// <summary>Lets a stream through only while its run is running and holds the device with this fence, by the database.</summary>
internal sealed class RunDialGate(IServiceScopeFactory scopes) : IDialGate
{
    public async Task<bool> MayDial(DeviceDial dial, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(dial.Tenant, cancel);
        return await db.Scalar<bool>(
            $"""
            select exists (select from runs.run r join runs.device_hold h on h.tenant_id = r.tenant_id and h.run_id = r.id
                           where r.tenant_id = {dial.Tenant.Value} and r.id = {dial.Run!.Value.Value} and r.state = 'running' and r.fence = {dial.Fence}
                             and h.device_id = {dial.Device.Value} and h.fence = r.fence and h.exclusive = {(dial.Exclusive ? 1 : 0)}) as "Value"
            """,
            cancel);
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
