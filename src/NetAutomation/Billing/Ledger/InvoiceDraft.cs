using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>The running month's draft. A direct charge becomes its line at once; a Marketplace month is a statement read from the charges.</summary>
internal static class InvoiceDraft
{
    /// <param name="beside">A charge that this one corrects: while its invoice is a draft, both stand there and net out.</param>
    public static async Task Add(
        NetAutomationDb db, TenantId tenant, Guid charge, string channel, Money amount, CancellationToken cancel, Guid? beside = null)
    {
        var kind = channel == "direct" ? "invoice" : "statement";
        await db.Execute(
            $"""
            insert into billing.invoice (tenant_id, id, kind, currency, period)
            select {tenant.Value}, {Guid.CreateVersion7()}, {kind}, {Money.Currency}, daterange(m, (m + interval '1 month')::date)
            from (select date_trunc('month', now() at time zone 'UTC')::date) as month (m)
            on conflict do nothing
            """,
            cancel);
        if (channel != "direct")
        {
            return;
        }

        var lines = await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select i.tenant_id, {charge}, i.id, i.currency, {amount.Micros} from billing.invoice i
              left join billing.invoice_line b on b.tenant_id = i.tenant_id and b.invoice_id = i.id and b.charge_id = {beside} and b.live
            where i.tenant_id = {tenant.Value} and i.kind = {kind} and i.state = 'draft' and (b.live or i.period @> (now() at time zone 'UTC')::date)
            order by b.live nulls last limit 1
            """,
            cancel);
        if (lines != 1)
        {
            // The month was closed after this transaction began: repeated, it finds the next one.
            throw new InvalidOperationException("The month of this charge is closed.");
        }
    }
}
