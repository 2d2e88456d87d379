using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.History.Retain;

/// <summary>
/// Holds what a tenant's texts take to its limit. A run is never hurt by it: its texts are kept, and old ones make room. Those are of the
/// device that takes most, so that one device with large or restless texts costs no other one its history.
/// </summary>
internal sealed class HistoryRoom(NetAutomationDb db, TextSeals seals, AuditLog audit)
{
    /// <summary>The limit's name.</summary>
    public const string Limit = "history_bytes";

    // Who writes an outcome does not wait for more; the loop goes on.
    private const int Most = 4;

    /// <summary>Which configs c may go.</summary>
    private static FormattableString MayGo =>
        $"""
        c.id < (
          select n.id from history.config n where n.tenant_id = c.tenant_id and n.device_id = c.device_id order by n.id desc limit 1)
        and not exists (select from runs.run r where r.tenant_id = c.tenant_id and r.id = c.run_id and not r.terminal)
        """;

    /// <summary>
    /// Makes room, in the caller's transaction. The newest of a device stays, and so does what a run under way has read: a change goes back
    /// to it.
    /// </summary>
    /// <returns>False where there is more to do.</returns>
    public async Task<bool> Make(TenantId tenant, CancellationToken cancel)
    {
        var tried = new List<Guid>();
        while (await db.Scalar<long?>(
            $"""
            select coalesce(l.max, d.max) as "Value" from web.limit_default d
            left join web.tenant_limit l on l.tenant_id = {tenant.Value} and l.name = d.name
            where d.name = {Limit}
              and (select sum(bytes) from history.device where tenant_id = {tenant.Value}) > coalesce(l.max, d.max)
            """,
            cancel) is { } max)
        {
            // A device that another transaction works on is passed over: nobody waits here for a lock.
            Guid[] others = [.. tried];
            var rows = await db.Query<ChainRow>(
                $"""
                select {TextChain.Columns} from history.device d
                where tenant_id = {tenant.Value} and bytes > octet_length(whole) and device_id <> all ({others})
                  and exists (select from history.config c where c.tenant_id = d.tenant_id and c.device_id = d.device_id and {MayGo})
                order by bytes - octet_length(whole) desc, device_id limit 1 for update skip locked
                """,
                cancel);
            if (tried.Count == Most || rows is not [var row])
            {
                return rows.Count == 0;
            }

            tried.Add(row.DeviceId.Value);
            await Halve(tenant, row, max, cancel);
        }

        return true;
    }

    private async Task Halve(TenantId tenant, ChainRow row, long max, CancellationToken cancel)
    {
        var device = row.DeviceId;
        var gone = await db.Execute(
            $"""
            with old as (
              select id, row_number() over (order by id) as place, count(*) over () as n from history.config c
              where c.tenant_id = {tenant.Value} and c.device_id = {device.Value} and {MayGo})
            delete from history.config
            where tenant_id = {tenant.Value} and device_id = {device.Value} and id in (select id from old where 2 * place <= n + 1)
            """,
            cancel);
        using var seal = await seals.Of(db, row.TenantKeyVersion, cancel);
        await TextChain.ForgetUnused(db, tenant, row, seal, cancel);
        await audit.Append(
            tenant, "history", "history", null, "config.forgotten", $"{device}", new { Configs = gone, Limit, Max = max }, cancel);
    }
}
