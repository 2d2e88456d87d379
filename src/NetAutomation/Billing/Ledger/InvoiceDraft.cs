using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>The running month's draft. A direct charge becomes its line at once; a Marketplace month is a statement read from the charges.</summary>
internal static class InvoiceDraft
{
    public static async Task Add(NetAutomationDb db, TenantId tenant, Guid charge, string channel, Money amount, CancellationToken cancel)
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

        await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select tenant_id, {charge}, id, currency, {amount.Micros} from billing.invoice
            where tenant_id = {tenant.Value} and kind = {kind} and state = 'draft' and period @> (now() at time zone 'UTC')::date
            """,
            cancel);
    }
}
