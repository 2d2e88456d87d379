using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;

namespace NetAutomation.History.Retain;

/// <summary>
/// Deletes configurations that are older or more than their tenant keeps or has room for, and the texts that nothing names any more.
/// </summary>
internal sealed class ForgetConfigs(SystemDb system, NetAutomationDb db, TextSeals seals, HistoryRoom room)
{
    private const int Batch = 500;

    /// <summary>
    /// Looks at each device once a day, and after its tenant's retention has changed. A device that it cannot do stops no other one.
    /// </summary>
    public async Task Run(CancellationToken cancel)
    {
        var (faults, last, due) = (new List<Exception>(), new Due(new(Guid.Empty), DeviceId.None), new List<Due>());
        do
        {
            due = await system.Query<Due>(
                $"""
                select d.tenant_id, d.device_id from history.device d left join history.retention r on r.tenant_id = d.tenant_id
                where d.looked_at < greatest(now() - interval '1 day', r.changed_at)
                  and (d.tenant_id, d.device_id) > ({last.TenantId.Value}, {last.DeviceId.Value})
                order by d.tenant_id, d.device_id limit {Batch}
                """,
                cancel);
            foreach (var each in due)
            {
                await Try(() => Forget(each.TenantId, each.DeviceId, cancel));
                last = each;
            }
        }
        while (due.Count == Batch);

        foreach (var tenant in await system.Query<TenantId>(
            $"""
            select d.tenant_id from (select tenant_id, sum(bytes) as bytes from history.device group by tenant_id) d
            join web.limit_default m on m.name = {HistoryRoom.Limit}
            left join web.tenant_limit l on l.tenant_id = d.tenant_id and l.name = m.name
            where d.bytes > coalesce(l.max, m.max)
            """,
            cancel))
        {
            await Try(() => MakeRoom(tenant, cancel));
        }

        if (faults.Count > 0)
        {
            throw new AggregateException(faults);
        }

        async Task Try(Func<Task> act)
        {
            try
            {
                await act();
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                faults.Add(fault);
            }
        }
    }

    private async Task MakeRoom(TenantId tenant, CancellationToken cancel)
    {
        bool done;
        do
        {
            await using var transaction = await db.Begin(tenant, cancel);
            done = await room.Make(tenant, cancel);
            await transaction.CommitAsync(cancel);
        }
        while (!done);
    }

    private async Task Forget(TenantId tenant, DeviceId device, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        var kept = await Retention.Of(db, tenant, cancel);
        var rows = await db.Query<ChainRow>(
            $"""
            select {TextChain.Columns} from history.device
            where tenant_id = {tenant.Value} and device_id = {device.Value} for update
            """,
            cancel);
        if (rows is not [var row])
        {
            return;
        }

        // Texts are counted, not how often one was read; and what was before and after a change is none of them.
        var gone = await db.Execute(
            $"""
            delete from history.config where tenant_id = {tenant.Value} and device_id = {device.Value} and id in (
              select id from (
                select id, kind, last_at, row_number() over newest_first as place, sum(differs) over newest_first as spell from (
                  select c.id, c.kind, s.last_at,
                    case when c.version is distinct from lag(c.version) over (order by c.id desc) then 1 else 0 end as differs
                  from history.config c
                  left join history.spell s on s.tenant_id = c.tenant_id and s.device_id = c.device_id and s.id = c.id
                  where c.tenant_id = {tenant.Value} and c.device_id = {device.Value}) each
                window newest_first as (order by id desc)) c
              where place > 1 and (
                (spell > {kept.Configs} and kind = 'backup')
                or (id < billing.first_id(now() - make_interval(days => {kept.Days}))
                  and coalesce(last_at < now() - make_interval(days => {kept.Days}), true))))
            """,
            cancel);
        if (gone > 0)
        {
            using var seal = await seals.Of(db, row.TenantKeyVersion, cancel);
            await TextChain.ForgetUnused(db, tenant, row, seal, cancel);
        }

        db.SendWithNext(
            $"update history.device set looked_at = now() where tenant_id = {tenant.Value} and device_id = {device.Value}");
        await transaction.CommitAsync(cancel);
    }

    private sealed record Due(TenantId TenantId, DeviceId DeviceId);
}
