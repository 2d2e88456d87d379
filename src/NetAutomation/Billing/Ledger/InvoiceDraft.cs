using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>The draft of a charge's month. A direct charge becomes its line at once; a Marketplace month is a statement read from the charges.</summary>
internal static class InvoiceDraft
{
    /// <param name="beside">A charge that this one corrects: while its invoice is a draft, both stand there and net out.</param>
    public static async Task Add(
        NetAutomationDb db, TenantId tenant, Guid charge, string channel, Money amount, CancellationToken cancel, Guid? beside = null)
    {
        var direct = channel == "direct";
        if (direct && beside is not null && await db.Execute(
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

        // Where the month was issued after this transaction began, a line goes to the month of the clock. A Marketplace charge has that month
        // already (trigger charge_month).
        if (!await Open(db, tenant, charge, direct, amount, late: false, cancel) && !(direct && await Open(db, tenant, charge, direct, amount, late: true, cancel)))
        {
            throw new InvalidOperationException("The month of this charge is closed.");
        }
    }

    /// <summary>False where the month is closed. The share lock holds off its issue until the charge can be seen.</summary>
    private static async Task<bool> Open(NetAutomationDb db, TenantId tenant, Guid charge, bool direct, Money amount, bool late, CancellationToken cancel)
    {
        var kind = direct ? "invoice" : "statement";
        await db.Execute(
            $"""
            insert into billing.invoice (tenant_id, id, kind, currency, period)
            select {tenant.Value}, {Guid.CreateVersion7()}, {kind}, {Money.Currency}, daterange(m, (m + interval '1 month')::date)
            from (select date_trunc('month', case when {late} then clock_timestamp() else occurred_at end at time zone 'UTC')::date
                  from billing.charge where tenant_id = {tenant.Value} and id = {charge}) as month (m)
            on conflict do nothing
            """,
            cancel);
        if (!direct)
        {
            return await db.Scalar<Guid?>(
                $"""
                select i.id as "Value" from billing.charge c join billing.invoice i on i.tenant_id = c.tenant_id and i.period @> (c.occurred_at at time zone 'UTC')::date
                where c.tenant_id = {tenant.Value} and c.id = {charge} and i.kind = {kind} and i.state = 'draft' for share of i
                """,
                cancel) is not null;
        }

        return await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select i.tenant_id, c.id, i.id, i.currency, {amount.Micros} from billing.charge c join billing.invoice i on i.tenant_id = c.tenant_id
              and i.period @> (case when {late} then clock_timestamp() else c.occurred_at end at time zone 'UTC')::date
            where c.tenant_id = {tenant.Value} and c.id = {charge} and i.kind = {kind} and i.state = 'draft' for share of i
            """,
            cancel) == 1;
    }
}
