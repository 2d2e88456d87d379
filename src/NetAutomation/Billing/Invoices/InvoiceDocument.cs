using System.Text.Json;
using NetAutomation.Billing.Receipts;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>
/// The content of an invoice. Issuing freezes it as canonical JSON; from then on it is only read. A draft is the same, composed anew
/// each time, without number, dates and hashes.
/// </summary>
/// <param name="Format">Version of this shape.</param>
internal sealed record InvoiceDocument(
    int Format,
    InvoiceId Id,
    string Kind,
    string? Number,
    int Revision,
    string? Replaces,
    string Issuer,
    TenantId TenantId,
    string TenantName,
    DateOnly PeriodStart,
    DateOnly PeriodEnd,
    DateTimeOffset? IssuedAt,
    DateTimeOffset? DueAt,
    IReadOnlyList<InvoiceLineView> Lines,
    Money Exact,
    Money Rounding,
    Money Total,
    string? PreviousHash,
    ReceiptAnchor? Receipts)
{
    /// <summary>The frozen document where there is one, otherwise one composed from the charges as they are now.</summary>
    public static async Task<InvoiceDocument> Of(NetAutomationDb db, InvoiceHead head, string issuer, CancellationToken cancel)
    {
        if (head.Document is { } frozen)
        {
            return JsonSerializer.Deserialize<InvoiceDocument>(frozen, Json.Api)!;
        }

        var lines = await ReadLines(db, head, cancel);
        var exact = lines.Aggregate(Money.Zero, (sum, line) => sum + line.Exact);
        var total = lines.Aggregate(Money.Zero, (sum, line) => sum + line.Amount);
        return new InvoiceDocument(
            1, head.Id, head.Kind, null, head.Revision, head.Replaces, issuer, head.TenantId, head.TenantName, head.PeriodStart,
            head.PeriodEnd, null, null, lines, exact, total - exact, total, null, null);
    }

    public byte[] Canonical() => CanonicalJson.Bytes(JsonSerializer.SerializeToElement(this, Json.Api));

    public InvoiceView View(InvoiceHead head) => new(
        Id, Kind, head.State, Kind == "invoice", PeriodStart, PeriodEnd, Lines, Total, Number, Revision, Replaces, IssuedAt, DueAt, Exact,
        Rounding, head.Paid, head.VoidedAt, head.VoidReason, head.DocumentSha256 is { } hash ? ReceiptChain.Text(hash) : null,
        PreviousHash);

    /// <summary>Half to even, so that roundings do not drift to one side.</summary>
    internal static Money ToCents(Money amount) =>
        new((long)Math.Round(amount.Micros / (decimal)Money.Cent.Micros, MidpointRounding.ToEven) * Money.Cent.Micros);

    private static async Task<List<InvoiceLineView>> ReadLines(NetAutomationDb db, InvoiceHead head, CancellationToken cancel)
    {
        // A statement is not rounded: AWS meters units.
        Func<Money, Money> round = head.Kind == "invoice" ? ToCents : amount => amount;
        // Credit notes to one invoice form lines as its charges did, so that reversing a whole line gives back its rounded amount.
        var rows = await db.Query<Line>(
            $"""
            with own as (
              select c.* from billing.invoice_line l join billing.charge c on c.tenant_id = l.tenant_id and c.id = l.charge_id
              where {head.Kind} = 'invoice' and l.tenant_id = {head.TenantId.Value} and l.invoice_id = {head.Id.Value}
              union all
              select c.* from billing.charge c
              where {head.Kind} = 'statement' and c.tenant_id = {head.TenantId.Value} and c.channel = 'marketplace'
                and c.occurred_at >= ({head.PeriodStart}::timestamp at time zone 'UTC')
                and c.occurred_at < ({head.PeriodEnd}::timestamp at time zone 'UTC')),
            typed as (
              select o.*, a.credit_note, a.credit_note_number, i.number as credits,
                case when a.credits is not null then 'credit_note' when a.kind <> 'reversal' then a.kind else 'charge' end as type
              from own o left join billing.adjustment a on a.tenant_id = o.tenant_id and a.id = o.adjustment_id
                left join billing.invoice i on i.tenant_id = a.tenant_id and i.id = a.credits)
            select t.type, t.sku, string_agg(distinct t.description, '; ') filter (where t.type <> 'charge') as description,
              t.price_version_id, p.unit_micros as unit_price, sum(t.quantity)::bigint as quantity,
              sum(t.amount_micros)::bigint as exact, count(*) as charges,
              string_agg(t.credit_note_number, ', ' order by t.credit_note) as credit_note, t.credits
            from typed t left join billing.price_version p on p.id = t.price_version_id
            group by t.type, t.sku, t.price_version_id, p.unit_micros, case when t.price_version_id is null then t.id end, t.credits
            order by array_position(array['charge', 'debit', 'credit', 'credit_note'], t.type), t.sku, t.price_version_id,
              min(t.credit_note), case when t.price_version_id is null then t.id end
            """,
            cancel);
        return [.. rows.Select(row => new InvoiceLineView(
            row.Type, row.Sku, row.Description, row.PriceVersionId, row.UnitPrice, row.Quantity, round(row.Exact), row.Charges, row.Exact,
            row.CreditNote, row.Credits))];
    }

    private sealed record Line(
        InvoiceLineType Type, string Sku, string? Description, PriceVersionId? PriceVersionId, Money? UnitPrice, long Quantity, Money Exact,
        long Charges, string? CreditNote, string? Credits);
}

/// <summary>The head of the tenant's receipt chain when the invoice was issued: no receipt before it can change unseen.</summary>
internal sealed record ReceiptAnchor(long Seq, string Hash);

/// <summary>The row of an invoice.</summary>
internal sealed record InvoiceHead(
    InvoiceId Id,
    TenantId TenantId,
    string TenantName,
    string Kind,
    InvoiceState State,
    int Revision,
    string? Replaces,
    DateOnly PeriodStart,
    DateOnly PeriodEnd,
    bool Over,
    string? Document,
    byte[]? DocumentSha256,
    Money Paid,
    DateTimeOffset? VoidedAt,
    string? VoidReason)
{
    /// <summary>One invoice; where the caller is a tenant, row-level security shows it no other's.</summary>
    public static async Task<InvoiceHead?> Find(
        NetAutomationDb db, InvoiceId id, CancellationToken cancel, TenantId? tenant = null) =>
        (await Find(db, null, 1, cancel, id, tenant)).FirstOrDefault();

    /// <summary>Newest first.</summary>
    public static Task<List<InvoiceHead>> Find(
        NetAutomationDb db, Guid? below, int take, CancellationToken cancel, InvoiceId? id = null, TenantId? tenant = null,
        string? state = null, DateOnly? month = null) => db.Query<InvoiceHead>(
        $"""
        select i.id, i.tenant_id, t.name as tenant_name, i.kind, i.state, i.revision, r.number as replaces,
          lower(i.period) as period_start, upper(i.period) as period_end,
          now() >= (upper(i.period)::timestamp at time zone 'UTC') as over, i.document, i.document_sha256, i.voided_at, i.void_reason,
          coalesce((
            select sum(p.amount_micros) from billing.payment p
            where p.tenant_id = i.tenant_id and p.invoice_id = i.id), 0)::bigint as paid
        from billing.invoice i join onboarding.tenant t on t.tenant_id = i.tenant_id
          left join billing.invoice r on r.tenant_id = i.tenant_id and r.id = i.replaces
        where ({tenant?.Value}::uuid is null or i.tenant_id = {tenant?.Value}) and ({id?.Value}::uuid is null or i.id = {id?.Value})
          and ({state}::text is null or i.state = {state}) and ({month}::date is null or lower(i.period) = {month})
          and ({below}::uuid is null or i.id < {below})
        order by i.id desc limit {take}
        """,
        cancel);
}
