using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Metering;

/// <summary>
/// Freezes what will be reported: one record per payer and hour with every charge up to it that no record holds yet. Any number of
/// processes may do it at once and any of them may die: the row of the payer lets one at a time, and its transaction is all or nothing.
/// </summary>
internal sealed partial class SealUsage(
    SystemDb db, IOptions<MarketplaceOptions> product, IOptions<MeteringOptions> options, TimeProvider clock, ILogger<SealUsage> log)
{
    /// <summary>More charges would exceed the time limit of a statement. The rest joins the record of the next hour.</summary>
    private const int MostCharges = 20_000;

    /// <summary>Seals what is due; a fault of one payer stops no other. False where nothing was sealed.</summary>
    /// <param name="closedOnly">Only payers whose agreement ended, which wait for no hour.</param>
    public async Task<bool> Run(bool closedOnly, CancellationToken cancel)
    {
        var dimension = product.Value.Dimension;
        if (dimension.Length == 0)
        {
            return false;
        }

        // The same hours as below, so that a payer with nothing to seal is not locked.
        var heartbeat = options.Value.Heartbeat && !closedOnly;
        var (open, closed) = (Newest(closed: false), Newest(closed: true));
        var payers = await db.Query<DuePayer>(
            $"""
            select p.tenant_id, p.id from billing.payer p
            cross join lateral (select case when p.closed_at is null then {open} else {closed} end as newest) h
            where (not {closedOnly} or p.closed_at is not null)
              and not exists (
                select from billing.metering_record r
                where r.meter_key = p.meter_key and r.aws_account = p.aws_account and r.dimension = {dimension} and r.hour >= h.newest)
              and (exists (
                  select from billing.metering_backlog b
                  where b.tenant_id = p.tenant_id and b.payer_id = p.id and b.occurred_hour <= h.newest)
                or exists (
                  select from billing.metering_carry c
                  where c.tenant_id = p.tenant_id and c.payer_id = p.id and c.into_record_id is null)
                or ({heartbeat} and p.closed_at is null and exists (
                  select from billing.account a
                  where a.tenant_id = p.tenant_id and a.payer_id = p.id and a.channel = 'marketplace')))
            """,
            cancel);
        var sealedAny = false;
        foreach (var payer in payers)
        {
            try
            {
                await using var transaction = await db.Database.BeginTransactionAsync(cancel);
                var written = await Seal(payer.TenantId, payer.Id, cancel);
                await transaction.CommitAsync(cancel);
                sealedAny |= written;
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, payer.Id, fault);
            }
        }

        return sealedAny;
    }

    /// <summary>Seals this payer's record in the caller's transaction; false where none is due.</summary>
    public async Task<bool> Seal(TenantId tenant, Guid payer, CancellationToken cancel)
    {
        // Not FOR UPDATE, which would wait for every transaction that has just opened an account on the payer.
        var key = (await db.Query<Payer>(
            $"""
            select meter_key, aws_account, closed_at is not null as closed from billing.payer
            where tenant_id = {tenant.Value} and id = {payer} for no key update
            """,
            cancel))[0];
        var hour = Newest(key.Closed);
        if (await Last(tenant, payer, key, hour, cancel) is not { } last)
        {
            return false;
        }

        var charges = await db.Query<Charge>(
            $"""
            select c.id, split_part(c.sku, '/', 1) as block, c.amount_micros
            from billing.metering_backlog b join billing.charge c on c.tenant_id = b.tenant_id and c.id = b.charge_id
            where b.tenant_id = {tenant.Value} and b.payer_id = {payer} and b.occurred_hour <= {hour}
            order by b.occurred_hour, b.charge_id limit {MostCharges}
            """,
            cancel);
        var carried = await db.Query<Carried>(
            $"""
            select c.record_id, c.amount_micros, r.allocations, r.unit_micros
            from billing.metering_carry c join billing.metering_record r on r.tenant_id = c.tenant_id and r.id = c.record_id
            where c.tenant_id = {tenant.Value} and c.payer_id = {payer} and c.into_record_id is null
            """,
            cancel);
        if (charges.Count + carried.Count == 0 && (key.Closed || !options.Value.Heartbeat))
        {
            return false;
        }

        await Write(tenant, payer, key, hour, last, charges, carried, cancel);
        return true;
    }

    private async Task Write(
        TenantId tenant, Guid payer, Payer key, DateTimeOffset hour, Tail last, List<Charge> charges, List<Carried> carried,
        CancellationToken cancel)
    {
        var unit = product.Value.UnitMicros;
        var sum = charges.Sum(charge => charge.AmountMicros) + carried.Sum(each => each.AmountMicros);
        var due = sum + last.Carry;
        var quantity = (int)Math.Clamp(due / unit, 0, int.MaxValue);
        var blocks = charges.Select(charge => (charge.Block, charge.AmountMicros))
            .Concat(carried.SelectMany(each => Shares.Read(each.Allocations, each.UnitMicros)));
        var id = Guid.CreateVersion7();
        await db.Execute(
            $"""
            insert into billing.metering_record (
              tenant_id, id, payer_id, meter_key, aws_account, dimension, hour, seq, previous_hour, unit_micros, sum_micros,
              carry_in_micros, carry_out_micros, quantity, allocations)
            values ({tenant.Value}, {id}, {payer}, {key.MeterKey}, {key.AwsAccount}, {product.Value.Dimension}, {hour}, {last.Seq + 1},
              {last.Hour}, {unit}, {sum}, {last.Carry}, {due - (quantity * unit)}, {quantity}, {Shares.Json(quantity, blocks)})
            """,
            cancel);
        var ids = charges.Select(charge => charge.Id).ToArray();
        await db.Execute(
            $"""
            insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
            select c.tenant_id, c.id, {id}, c.currency, c.amount_micros from billing.charge c
            where c.tenant_id = {tenant.Value} and c.id = any ({ids})
            """,
            cancel);
        await db.Execute(
            $"delete from billing.metering_backlog where tenant_id = {tenant.Value} and payer_id = {payer} and charge_id = any ({ids})",
            cancel);
        var records = carried.Select(each => each.RecordId).ToArray();
        await db.Execute(
            $"update billing.metering_carry set into_record_id = {id} where tenant_id = {tenant.Value} and record_id = any ({records})",
            cancel);
    }

    /// <summary>The end of the payer's chain; null where this hour, or a later one, is sealed already.</summary>
    private async Task<Tail?> Last(TenantId tenant, Guid payer, Payer key, DateTimeOffset hour, CancellationToken cancel)
    {
        // AWS knows a record by its buyer. A buyer who registered again may be another tenant here, with the same key.
        var taken = await db.Scalar<bool>(
            $"""
            select exists (select from billing.metering_record where meter_key = {key.MeterKey} and aws_account = {key.AwsAccount}
                           and dimension = {product.Value.Dimension} and hour = {hour})
            """,
            cancel);
        var ends = await db.Query<Tail>(
            $"""
            select seq, hour, carry_out_micros as carry from billing.metering_record
            where tenant_id = {tenant.Value} and payer_id = {payer} order by seq desc limit 1
            """,
            cancel);
        var last = ends is [var end] ? end : new Tail(0, null, 0);
        return taken || last.Hour >= hour ? null : last;
    }

    /// <summary>
    /// The newest hour that may be sealed. After the end of an agreement the running hour counts as closed, since AWS takes its usage for
    /// one more hour only.
    /// </summary>
    private DateTimeOffset Newest(bool closed) => closed
        ? Hour(clock.GetUtcNow()) : Hour(clock.GetUtcNow() - options.Value.SealAfter).AddHours(-1);

    private static DateTimeOffset Hour(DateTimeOffset at) => new(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);

    private sealed record DuePayer(TenantId TenantId, Guid Id);

    private sealed record Payer(string MeterKey, string AwsAccount, bool Closed);

    private sealed record Tail(long Seq, DateTimeOffset? Hour, long Carry);

    private sealed record Charge(Guid Id, string Block, long AmountMicros);

    private sealed record Carried(Guid RecordId, long AmountMicros, string? Allocations, long UnitMicros);

    private static partial class Log
    {
        [LoggerMessage(1201, LogLevel.Error, "Usage of payer {Payer} could not be sealed")]
        public static partial void Failed(ILogger logger, Guid payer, Exception exception);
    }
}
