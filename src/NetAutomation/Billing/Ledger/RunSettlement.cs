using NetAutomation.Billing.Receipts;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Ledger;

/// <summary>
/// Writes the settlement of one run. Its rows have natural keys, so that the database refuses a second attempt.
/// </summary>
internal sealed class RunSettlement(NetAutomationDb db, TenantId tenant, RunFacts facts)
{
    private const string Source = "runs";

    public async Task<Money> Write(CancellationToken cancel)
    {
        // In the order in which a launch locks their free allowances.
        var reservations = await db.Query<Reserved>(
            $"""
            select r.id, r.component, r.quantity, r.free_quantity, r.price_version_id, r.channel, r.unit_micros, p.sku
            from billing.reservation r join billing.price_version p on p.id = r.price_version_id
            where r.tenant_id = {tenant.Value} and r.run_id = {facts.Run.Value}
            order by array_position({PriceComponents.Names}, r.component)
            """,
            cancel);
        var billable = facts.Devices.Count(device => device.Billable);
        var reserved = reservations.Single(reservation => reservation.Component == PriceComponent.Minute).Quantity;
        var minutes = Math.Min(PriceList.StartedMinutes(facts.Ran), reserved);
        var parts = reservations.ConvertAll(
            reservation => Of(reservation, billable == 0 ? 0 : reservation.Component.Quantity(billable, minutes)));
        WriteSettlements(parts);
        if (parts.FindAll(part => part.Charge is not null) is { Count: > 0 } charged)
        {
            WriteCharges(charged);
            await InvoiceDraft.Add(db, tenant, [.. charged.Select(part => part.Charge!.Value)], charged[0].Reservation.Channel, cancel);
        }

        if (billable > 0)
        {
            WriteUsage(minutes);
        }

        await ReceiptChain.Append(
            db, tenant, facts, reservations.Single(reservation => reservation.Component == PriceComponent.Device), cancel);
        return parts.Aggregate(Money.Zero, (sum, part) => sum + part.Amount);
    }

    private static Part Of(Reserved reservation, long quantity)
    {
        var free = Math.Min(quantity, reservation.FreeQuantity);
        var amount = new Money(reservation.UnitMicros) * (quantity - free);
        return new Part(reservation, quantity, free, amount, amount > Money.Zero ? Guid.CreateVersion7() : null);
    }

    // SQL copies the numbers of the reservation itself; only what the run came to is passed.
    private void WriteSettlements(List<Part> parts)
    {
        Guid[] reservations = [.. parts.Select(part => part.Reservation.Id)];
        string[] kinds = [.. parts.Select(part => part.Quantity > 0 ? "post" : "void")];
        long[] quantities = [.. parts.Select(part => part.Quantity)];
        long[] free = [.. parts.Select(part => part.Free)];
        long[] amounts = [.. parts.Select(part => part.Amount.Micros)];
        Guid?[] charges = [.. parts.Select(part => part.Charge)];
        db.SendWithNext(
            $"""
            insert into billing.settlement (
              tenant_id, reservation_id, run_id, component, kind, quantity, free_quantity, reserved_quantity, reserved_free,
              unit_micros, reserved_micros, amount_micros, currency, price_version_id, channel, charge_id)
            select r.tenant_id, r.id, r.run_id, r.component, p.kind, p.quantity, p.free, r.quantity, r.free_quantity,
              r.unit_micros, r.amount_micros, p.amount, r.currency, r.price_version_id, r.channel, p.charge
            from unnest({reservations}, {kinds}, {quantities}, {free}, {amounts}, {charges})
              with ordinality as p (id, kind, quantity, free, amount, charge, n)
              join billing.reservation r on r.tenant_id = {tenant.Value} and r.id = p.id
            order by p.n
            """);
    }

    private void WriteCharges(List<Part> parts)
    {
        Guid[] charges = [.. parts.Select(part => part.Charge!.Value)];
        Guid[] reservations = [.. parts.Select(part => part.Reservation.Id)];
        string[] skus = [.. parts.Select(part => part.Reservation.Sku)];
        string[] descriptions =
            [.. parts.Select(part => $"{facts.Block}: {part.Quantity - part.Free} × {Wire.Name(part.Reservation.Component)}")];
        long[] quantities = [.. parts.Select(part => part.Quantity - part.Free)];
        long[] amounts = [.. parts.Select(part => part.Amount.Micros)];
        db.SendWithNext(
            $"""
            insert into billing.charge (
              tenant_id, id, reservation_id, sku, description, quantity, amount_micros, currency, price_version_id, channel)
            select r.tenant_id, p.charge, r.id, p.sku, p.description, p.quantity, p.amount, r.currency, r.price_version_id, r.channel
            from unnest({charges}, {reservations}, {skus}, {descriptions}, {quantities}, {amounts})
              with ordinality as p (charge, id, sku, description, quantity, amount, n)
              join billing.reservation r on r.tenant_id = {tenant.Value} and r.id = p.id
            order by p.n
            """);
    }

    private void WriteUsage(long minutes)
    {
        Guid?[] devices = [.. facts.Devices.Where(device => device.Billable).Select(device => (Guid?)device.Device.Value)];
        var used = PriceComponents.All.SelectMany(component => component.IsPerDevice()
            ? devices.Select(device => (Meter: Wire.Name(component), Device: device, Quantity: 1L))
            : [(Wire.Name(component), null, component.Quantity(devices.Length, minutes))]).ToList();
        string[] meters = [.. used.Select(each => each.Meter)];
        Guid?[] ids = [.. used.Select(each => each.Device)];
        long[] quantities = [.. used.Select(each => each.Quantity)];
        Guid[] events = [.. used.Select(each => FactId.Of($"{facts.Run.Value:n}/{each.Meter}/{each.Device:n}"))];
        db.SendWithNext(
            $"""
            insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block)
            select {tenant.Value}, {Source}, e, {facts.Run.Value}, m, d, q, {facts.Block}
            from unnest({events}, {meters}, {ids}, {quantities}) as u (e, m, d, q)
            """);
    }

    /// <summary>The outcome of one reservation.</summary>
    private sealed record Part(Reserved Reservation, long Quantity, long Free, Money Amount, Guid? Charge);
}

/// <summary>A reservation with the price it is pinned to.</summary>
internal sealed record Reserved(
    Guid Id, PriceComponent Component, long Quantity, long FreeQuantity, Guid PriceVersionId, string Channel, long UnitMicros, string Sku);
