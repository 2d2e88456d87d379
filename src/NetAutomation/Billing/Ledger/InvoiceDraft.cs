using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>
/// The draft of a charge's month. A direct charge becomes its line at once; a Marketplace month is a statement read from the charges.
/// </summary>
internal static class InvoiceDraft
{
    /// <param name="charges">Charges of one time.</param>
    /// <param name="beside">What each of them corrects: while the invoice of that is a draft, both stand there and net out.</param>
    public static async Task Add(
        NetAutomationDb db, TenantId tenant, Guid[] charges, string channel, CancellationToken cancel, Guid?[]? beside = null)
    {
        var direct = channel == "direct";
        if (direct && beside is not null)
        {
            charges = [.. charges.Except(await Join(db, tenant, charges, beside, cancel))];
        }

        // Where the month was issued after this transaction began, a line goes to the month of the clock. A Marketplace charge has that
        // month already (trigger charge_month).
        if (charges.Length > 0
            && !await Open(db, tenant, charges, direct, late: false, cancel)
            && !(direct && await Open(db, tenant, charges, direct, late: true, cancel)))
        {
            throw new InvalidOperationException("The month of this charge is closed.");
        }
    }

    /// <summary>The charges that stand beside what they correct.</summary>
    private static Task<List<Guid>> Join(
        NetAutomationDb db, TenantId tenant, Guid[] charges, Guid?[] beside, CancellationToken cancel) => db.Query<Guid>(
        $"""
        insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
        select i.tenant_id, c.id, i.id, i.currency, c.amount_micros
        from unnest({charges}, {beside}) as n (charge, beside)
          join billing.charge c on c.tenant_id = {tenant.Value} and c.id = n.charge
          join billing.invoice_line b on b.tenant_id = c.tenant_id and b.charge_id = n.beside and b.live
          join billing.invoice i on i.tenant_id = b.tenant_id and i.id = b.invoice_id
        where i.state = 'draft' for share of i
        returning charge_id
        """,
        cancel);

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
