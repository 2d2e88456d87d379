using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>
/// The draft of a charge's month. A direct charge becomes its line at once; a Marketplace month is a statement read from the charges.
/// </summary>
internal static class InvoiceDraft
{
    /// <param name="beside">A charge that this one corrects: while its invoice is a draft, both stand there and net out.</param>
    public static async Task Add(
        NetAutomationDb db, TenantId tenant, Guid charge, string channel, Money amount, CancellationToken cancel, Guid? beside = null)
    {
        if (channel == "direct" && beside is not null && await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select i.tenant_id, {charge}, i.id, i.currency, {amount.Micros}
            from billing.invoice_line b join billing.invoice i on i.tenant_id = b.tenant_id and i.id = b.invoice_id
            where b.tenant_id = {tenant.Value} and b.charge_id = {beside} and b.live and i.state = 'draft' for share of i
            """,
            cancel) == 1)
        {
            return;
        }

        await Add(db, tenant, [charge], channel, cancel);
    }

    /// <summary>The same for charges of one time, none of which corrects another.</summary>
    public static async Task Add(NetAutomationDb db, TenantId tenant, Guid[] charges, string channel, CancellationToken cancel)
    {
        // Where the month was issued after this transaction began, a line goes to the month of the clock. A Marketplace charge has that
        // month already (trigger charge_month).
        var direct = channel == "direct";
        if (!await Open(db, tenant, charges, direct, late: false, cancel)
            && !(direct && await Open(db, tenant, charges, direct, late: true, cancel)))
        {
            throw new InvalidOperationException("The month of this charge is closed.");
        }
    }

    /// <summary>False where the month is closed. The share lock holds off its issue until the charges can be seen.</summary>
    private static async Task<bool> Open(
        NetAutomationDb db, TenantId tenant, Guid[] charges, bool direct, bool late, CancellationToken cancel)
    {
        var kind = direct ? "invoice" : "statement";
        Guid[] ids = [.. charges.Select(_ => Guid.CreateVersion7())];
        db.SendWithNext(
            $"""
            insert into billing.invoice (tenant_id, id, kind, currency, period)
            select distinct on (m) {tenant.Value}, id, {kind}, {Money.Currency}, daterange(m, (m + interval '1 month')::date)
            from (
              select n.id, date_trunc('month', case when {late} then clock_timestamp() else c.occurred_at end at time zone 'UTC')::date
              from unnest({charges}, {ids}) as n (charge, id)
                join billing.charge c on c.tenant_id = {tenant.Value} and c.id = n.charge) as month (id, m)
            on conflict do nothing
            """);
        if (!direct)
        {
            return (await db.Query<Guid>(
                $"""
                select c.id
                from billing.charge c join billing.invoice i on i.tenant_id = c.tenant_id
                  and i.period @> (c.occurred_at at time zone 'UTC')::date
                where c.tenant_id = {tenant.Value} and c.id = any ({charges}) and i.kind = {kind} and i.state = 'draft' for share of i
                """,
                cancel)).Count == charges.Length;
        }

        return await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select i.tenant_id, c.id, i.id, i.currency, c.amount_micros
            from billing.charge c join billing.invoice i on i.tenant_id = c.tenant_id
              and i.period @> (case when {late} then clock_timestamp() else c.occurred_at end at time zone 'UTC')::date
            where c.tenant_id = {tenant.Value} and c.id = any ({charges}) and i.kind = {kind} and i.state = 'draft' for share of i
            """,
            cancel) == charges.Length;
    }
}
