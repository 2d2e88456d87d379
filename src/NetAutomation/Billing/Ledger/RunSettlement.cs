using System.Security.Cryptography;
using System.Text;
using NetAutomation.Billing.Receipts;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>Writes the settlement of one run. Its rows have natural keys, so a second attempt is refused by the database, not by memory.</summary>
internal sealed class RunSettlement(NetAutomationDb db, TenantId tenant, RunFacts facts)
{
    private const string Source = "runs";

    public async Task<Money> Write(CancellationToken cancel)
    {
        // In the order in which a launch locks their free allowances.
        var reservations = await db.Query<Reserved>(
            $"""
            select r.id, r.component, r.quantity, r.free_quantity, r.amount_micros, r.price_version_id, r.channel, r.unit_micros, p.sku
            from billing.reservation r join billing.price_version p on p.id = r.price_version_id
            where r.tenant_id = {tenant.Value} and r.run_id = {facts.Run.Value}
            order by array_position(array['run', 'device', 'minute'], r.component)
            """,
            cancel);
        var billable = facts.Devices.Count(device => device.Billable);
        var minutes = Math.Min(facts.Minutes, reservations.Single(reservation => reservation.Component == "minute").Quantity);
        var total = Money.Zero;
        foreach (var reservation in reservations)
        {
            var quantity = reservation.Component switch
            {
                _ when billable == 0 => 0,
                "run" => 1,
                "device" => billable,
                _ => minutes,
            };
            total += await Settle(reservation, quantity, cancel);
        }

        await WriteUsage(billable, minutes, cancel);
        await ReceiptChain.Append(db, tenant, facts, reservations.Single(reservation => reservation.Component == "device"), cancel);
        return total;
    }

    private async Task<Money> Settle(Reserved reservation, long quantity, CancellationToken cancel)
    {
        var free = Math.Min(quantity, reservation.FreeQuantity);
        var amount = new Money(reservation.UnitMicros) * (quantity - free);
        var (kind, charge) = (quantity > 0 ? "post" : "void", amount > Money.Zero ? Guid.CreateVersion7() : (Guid?)null);
        await db.Execute(
            $"""
            insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, free_quantity, reserved_quantity, reserved_free, unit_micros,
                                            reserved_micros, amount_micros, currency, price_version_id, channel, charge_id)
            values ({tenant.Value}, {reservation.Id}, {facts.Run.Value}, {reservation.Component}, {kind}, {quantity}, {free}, {reservation.Quantity},
                    {reservation.FreeQuantity}, {reservation.UnitMicros}, {reservation.AmountMicros}, {amount.Micros}, {Money.Currency},
                    {reservation.PriceVersionId}, {reservation.Channel}, {charge})
            """,
            cancel);
        if (charge is { } id)
        {
            var description = $"{facts.Block}: {quantity - free} × {reservation.Component}";
            await db.Execute(
                $"""
                insert into billing.charge (tenant_id, id, reservation_id, sku, description, quantity, amount_micros, currency, price_version_id, channel)
                values ({tenant.Value}, {id}, {reservation.Id}, {reservation.Sku}, {description}, {quantity - free}, {amount.Micros}, {Money.Currency},
                        {reservation.PriceVersionId}, {reservation.Channel})
                """,
                cancel);
            await InvoiceDraft.Add(db, tenant, id, reservation.Channel, amount, cancel);
        }

        return amount;
    }

    private async Task WriteUsage(int billable, long minutes, CancellationToken cancel)
    {
        if (billable == 0)
        {
            return;
        }

        var devices = facts.Devices.Where(device => device.Billable).Select(device => device.Device.Value).ToArray();
        string[] meters = ["run", "minute", .. devices.Select(_ => "device")];
        Guid?[] ids = [null, null, .. devices.Select(id => (Guid?)id)];
        long[] quantities = [1, minutes, .. devices.Select(_ => 1L)];
        Guid[] events = [.. meters.Zip(ids, EventId)];
        await db.Execute(
            $"""
            insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block)
            select {tenant.Value}, {Source}, e, {facts.Run.Value}, m, d, q, {facts.Block}
            from unnest({events}, {meters}, {ids}, {quantities}) as u (e, m, d, q)
            """,
            cancel);
    }

    /// <summary>The same fact always has the same id (RFC 9562 UUIDv8 over run, meter and device), whoever reports it and however often.</summary>
    private Guid EventId(string meter, Guid? device)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{facts.Run.Value:n}/{meter}/{device:n}"), hash);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}

/// <summary>A reservation with the price it is pinned to.</summary>
internal sealed record Reserved(
    Guid Id, string Component, long Quantity, long FreeQuantity, long AmountMicros, Guid PriceVersionId, string Channel, long UnitMicros, string Sku);
