using System.Text.Json.Serialization;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Usage;

/// <summary>Usage summed up. A member that is not grouped by is null.</summary>
/// <param name="Day">Day (UTC).</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="DeviceId">The device. Grouped by device, null holds what belongs to no one device: runs, minutes and their cost.</param>
/// <param name="Runs">Billable runs.</param>
/// <param name="Devices">Billable devices.</param>
/// <param name="Minutes">Started minutes.</param>
/// <param name="Cost">What runs were charged, corrections included; not purchases and rentals.</param>
public sealed record UsageGroupView(DateOnly? Day, string? Block, DeviceId? DeviceId, long Runs, long Devices, long Minutes, Money Cost)
{
    /// <summary>By which the cursor names the group.</summary>
    [JsonIgnore]
    public Guid Id { get; init; }
}

internal static class GroupUsage
{
    private const int LongestDays = 400;
    private static readonly string[] _keys = ["block", "device", "day"];

    public static async Task<Outcome<Page<UsageGroupView>>> Read(
        NetAutomationDb db, TenantId tenant, PageQuery page, string? block, string groupBy, DateTimeOffset? from, DateTimeOffset? to,
        CancellationToken cancel)
    {
        var keys = groupBy.Split(',', StringSplitOptions.TrimEntries);
        if (keys.Except(_keys, StringComparer.Ordinal).Any() || keys.Distinct(StringComparer.Ordinal).Count() != keys.Length)
        {
            return Web.Problems.Refused.At("/groupBy", "group_by", "Any of block, device and day, once each.");
        }

        var now = await db.Scalar<DateTimeOffset>($"select now()", cancel);
        var (first, last) =
            ((from ?? new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero)).UtcDateTime, (to ?? now).UtcDateTime);
        if (last - first > TimeSpan.FromDays(LongestDays))
        {
            return Web.Problems.Refused.At("/from", "out_of_range", $"At most {LongestDays} days.");
        }

        var (byBlock, byDevice, byDay) =
            (keys.Contains("block", StringComparer.Ordinal), keys.Contains("device", StringComparer.Ordinal),
                keys.Contains("day", StringComparer.Ordinal));
        return await page.Read(
            $"usage?{block}&{groupBy}&{from:O}&{to:O}",
            (below, take) => db.Query<UsageGroupView>(
                $"""
                with facts as (
                  select u.block, u.device_id, u.occurred_at, u.meter, u.quantity, 0::bigint as amount
                  from billing.usage_event u where u.tenant_id = {tenant.Value} and u.occurred_at >= {first} and u.occurred_at < {last}
                  union all
                  select r.block, p.device_id, p.occurred_at, null, 0, p.amount_micros
                  from billing.charge_part p join runs.run r on r.tenant_id = p.tenant_id and r.id = p.run_id
                  where p.tenant_id = {tenant.Value} and p.occurred_at >= {first} and p.occurred_at < {last}),
                keyed as (
                  select case when {byDay} then (occurred_at at time zone 'UTC')::date end as day,
                    case when {byBlock} then block end as block, case when {byDevice} then device_id end as device_id,
                    meter, quantity, amount
                  from facts where {block}::text is null or block = {block}),
                groups as (
                  select day, block, device_id, coalesce(sum(quantity) filter (where meter = 'run'), 0)::bigint as runs,
                    coalesce(sum(quantity) filter (where meter = 'device'), 0)::bigint as devices,
                    coalesce(sum(quantity) filter (where meter = 'minute'), 0)::bigint as minutes, sum(amount)::bigint as cost,
                    (coalesce(day, 'epoch'), coalesce(block, ''), coalesce(device_id::text, '')) as place,
                    md5(format('%s/%s/%s', day, block, device_id))::uuid as id
                  from keyed group by day, block, device_id)
                select id, day, block, device_id, runs, devices, minutes, cost from groups
                where {below}::uuid is null or place < (select k.place from groups k where k.id = {below})
                order by place desc limit {take}
                """,
                cancel),
            group => group.Id);
    }
}
