using NetAutomation.Billing.Ledger;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Operators;

/// <summary>
/// Writes corrections of one tenant: its adjustments, their charges and lines, and what a reversal takes back beside the money. Keys of the
/// database hold that nothing is taken back twice: <c>adjustment.reverses</c>, <c>free_return</c> and <c>usage_event.reverses</c>.
/// </summary>
internal static class Corrections
{
    /// <summary>
    /// Where the tenant is billed; null where it has no account. One correction or issue of the tenant at a time from here on, so that
    /// numbers have no gaps and sums miss nothing.
    /// </summary>
    public static Task<string?> Lock(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Scalar<string>($"select channel from billing.account where tenant_id = {tenant.Value} for no key update", cancel);

    /// <summary>These charges of the tenant as a reversal needs them.</summary>
    public static Task<List<Charged>> Find(SystemDb db, TenantId tenant, Guid[] charges, CancellationToken cancel) => db.Query<Charged>(
        $"""
        select c.id, c.sku, c.description, c.quantity, c.amount_micros as amount, c.price_version_id, c.channel, s.reservation_id, s.run_id,
          s.component, i.id as invoice_id,
          exists (select from billing.adjustment a where a.tenant_id = c.tenant_id and a.reverses = c.id) as reversed
        from billing.charge c
          left join billing.settlement s on s.tenant_id = c.tenant_id and s.reservation_id = c.reservation_id
          left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
          left join billing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id and i.state = 'issued'
        where c.tenant_id = {tenant.Value} and c.id = any ({charges})
        """,
        cancel);

    /// <param name="channel">Where they are billed: that of the tenant now.</param>
    /// <param name="taken">The settlements that are taken back, with their free part and usage; also those that charged nothing.</param>
    /// <param name="reversal">Of which they are a part.</param>
    public static async Task Write(
        SystemDb db, TenantId tenant, string channel, string reason, string by, IReadOnlyList<NewCorrection> corrections,
        IReadOnlyList<Settled> taken, CancellationToken cancel, ReversalId? reversal = null)
    {
        if (taken.Count > 0)
        {
            // Before any line: a settlement locks the allowance first and the draft then.
            await GiveBackFree(db, tenant, taken, reversal, cancel);
        }

        if (corrections.Count > 0)
        {
            Guid[] charges = [.. corrections.Select(_ => Guid.CreateVersion7())];
            await WriteAdjustments(db, tenant, channel, reason, by, corrections, charges, reversal, cancel);
            await WriteCharges(db, tenant, channel, reason, corrections, charges, cancel);
            await InvoiceDraft.Add(db, tenant, charges, channel, cancel, [.. corrections.Select(each => each.Target?.Id)]);
        }

        if (taken.Count > 0)
        {
            await TakeBackUsage(db, tenant, taken, cancel);
        }
    }

    private static Task<int> GiveBackFree(
        SystemDb db, TenantId tenant, IReadOnlyList<Settled> taken, ReversalId? reversal, CancellationToken cancel)
    {
        Guid[] reservations = [.. taken.Select(each => each.ReservationId)];
        return db.Execute(
            $"""
            insert into billing.free_return (tenant_id, reservation_id, reversal_id)
            select s.tenant_id, s.reservation_id, {reversal?.Value}::uuid from billing.settlement s
            where s.tenant_id = {tenant.Value} and s.reservation_id = any ({reservations}) and s.free_quantity > 0
            order by array_position({PriceComponents.Names}, s.component)
            """,
            cancel);
    }

    private static Task<int> WriteAdjustments(
        SystemDb db, TenantId tenant, string channel, string reason, string by, IReadOnlyList<NewCorrection> corrections, Guid[] charges,
        ReversalId? reversal, CancellationToken cancel)
    {
        Guid[] ids = [.. corrections.Select(each => each.Id.Value)];
        string[] kinds = [.. corrections.Select(each => Wire.Name(each.Kind))];
        string[] documents = [.. corrections.Select(each => each.Document)];
        long[] amounts = [.. corrections.Select(each => each.Amount.Micros)];
        Guid?[] reverses = [.. corrections.Select(each => each.Target?.Id)];
        string?[] channels = [.. corrections.Select(each => each.Target?.Channel)];
        // AWS Marketplace issues the documents of its months: a correction that is billed there credits no invoice of ours.
        Guid?[] credits = [.. corrections.Select(each => channel == "direct" ? each.Target?.InvoiceId : null)];
        return db.Execute(
            $"""
            insert into billing.adjustment (
              tenant_id, id, kind, document, amount_micros, currency, channel, reverses, reverses_channel, credits, credit_note,
              reason, approved_by, charge_id, reversal_id)
            select {tenant.Value}, k.id, k.kind, k.document, k.amount, {Money.Currency}, {channel}, k.reverses, k.channel, k.credits,
              case when k.credits is not null then count(k.credits) over (order by k.n)
                + (select coalesce(max(a.credit_note), 0) from billing.adjustment a where a.tenant_id = {tenant.Value}) end,
              {reason}, {by}, k.charge, {reversal?.Value}::uuid
            from unnest({ids}, {kinds}, {documents}, {amounts}, {reverses}, {channels}, {credits}, {charges})
              with ordinality as k (id, kind, document, amount, reverses, channel, credits, charge, n)
            order by k.n
            """,
            cancel);
    }

    private static Task<int> WriteCharges(
        SystemDb db, TenantId tenant, string channel, string reason, IReadOnlyList<NewCorrection> corrections, Guid[] charges,
        CancellationToken cancel)
    {
        Guid[] ids = [.. corrections.Select(each => each.Id.Value)];
        string[] skus = [.. corrections.Select(each => each.Target?.Sku ?? Wire.Name(each.Kind))];
        string[] descriptions =
            [.. corrections.Select(each => each.Target is { } target ? $"Reversal of {target.Description}: {reason}" : reason)];
        long[] quantities = [.. corrections.Select(each => -each.Target?.Quantity ?? 1)];
        long[] amounts = [.. corrections.Select(each => each.Amount.Micros)];
        Guid?[] prices = [.. corrections.Select(each => each.Target?.PriceVersionId)];
        return db.Execute(
            $"""
            insert into billing.charge (
              tenant_id, id, adjustment_id, sku, description, quantity, amount_micros, currency, price_version_id, channel)
            select {tenant.Value}, k.charge, k.id, k.sku, k.description, k.quantity, k.amount, {Money.Currency}, k.price, {channel}
            from unnest({charges}, {ids}, {skus}, {descriptions}, {quantities}, {amounts}, {prices})
              with ordinality as k (charge, id, sku, description, quantity, amount, price, n)
            order by k.n
            """,
            cancel);
    }

    private static async Task TakeBackUsage(SystemDb db, TenantId tenant, IReadOnlyList<Settled> taken, CancellationToken cancel)
    {
        Guid[] runs = [.. taken.Select(each => each.RunId)];
        string[] meters = [.. taken.Select(each => each.Component)];
        var events = await db.Query<Guid>(
            $"""
            select e.event_id
            from unnest({runs}, {meters}) as n (run, meter)
              join billing.usage_event e on e.tenant_id = {tenant.Value} and e.run_id = n.run and e.meter = n.meter
            where e.reverses is null
            """,
            cancel);
        Guid[] reversed = [.. events], ids = [.. events.Select(id => FactId.Of($"{id:n}/reversal"))];
        await db.Execute(
            $"""
            insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block, reverses)
            select e.tenant_id, 'adjustments', n.id, e.run_id, e.meter, e.device_id, -e.quantity, e.block, e.event_id
            from unnest({reversed}, {ids}) as n (event, id)
              join billing.usage_event e on e.tenant_id = {tenant.Value} and e.event_id = n.event
            """,
            cancel);
    }
}

/// <summary>A correction to write.</summary>
/// <param name="Amount">Below zero where the customer gets something back.</param>
/// <param name="Target">The charge that a reversal takes back.</param>
internal sealed record NewCorrection(AdjustmentId Id, Correction Kind, string Document, Money Amount, Charged? Target);

/// <summary>One component of a run that was settled.</summary>
internal sealed record Settled(Guid ReservationId, Guid RunId, string Component);

/// <summary>A charge, and what it was for.</summary>
/// <param name="InvoiceId">The issued invoice that it stands on.</param>
internal sealed record Charged(
    Guid Id, string Sku, string Description, long Quantity, Money Amount, Guid? PriceVersionId, string Channel, Guid? ReservationId,
    Guid? RunId, string? Component, Guid? InvoiceId, bool Reversed)
{
    /// <summary>Takes it back as a whole.</summary>
    public NewCorrection Reversal(AdjustmentId id, string document) =>
        new(id, Correction.Reversal, document, Money.Zero - Amount, this);
}
