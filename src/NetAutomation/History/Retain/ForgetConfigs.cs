using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;

namespace NetAutomation.History.Retain;

/// <summary>Deletes configurations that are older or more than their tenant keeps, and the texts that nothing names any more.</summary>
internal sealed class ForgetConfigs(SystemDb system, NetAutomationDb db, TextSeals seals)
{
    private const int Batch = 500;

    /// <summary>Looks at each device once a day, and after its tenant's retention has changed.</summary>
    public async Task Run(CancellationToken cancel)
    {
        List<Due> due;
        do
        {
            due = await system.Query<Due>(
                $"""
                select d.tenant_id, d.device_id from history.device d left join history.retention r on r.tenant_id = d.tenant_id
                where d.looked_at < greatest(now() - interval '1 day', r.changed_at) order by d.tenant_id, d.device_id limit {Batch}
                """,
                cancel);
            foreach (var (tenant, device) in due)
            {
                await Forget(tenant, device, cancel);
            }
        }
        while (due.Count == Batch);
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

        var gone = await db.Execute(
            $"""
            delete from history.config where tenant_id = {tenant.Value} and device_id = {device.Value} and id in (
              select id from (
                select id, row_number() over (order by id desc) as place from history.config
                where tenant_id = {tenant.Value} and device_id = {device.Value}) c
              where place > 1 and (place > {kept.Configs} or id < billing.first_id(now() - make_interval(days => {kept.Days}))))
            """,
            cancel);
        if (gone > 0)
        {
            var used = await db.Query<int>(
                $"select distinct version from history.config where tenant_id = {tenant.Value} and device_id = {device.Value}", cancel);
            using var seal = await seals.Of(db, row.TenantKeyVersion, cancel);
            var chain = new TextChain(db, tenant, row, seal);
            await chain.Forget([.. used], cancel);
            await chain.Save(cancel);
        }

        db.SendWithNext(
            $"update history.device set looked_at = now() where tenant_id = {tenant.Value} and device_id = {device.Value}");
        await transaction.CommitAsync(cancel);
    }

    private sealed record Due(TenantId TenantId, DeviceId DeviceId);
}
