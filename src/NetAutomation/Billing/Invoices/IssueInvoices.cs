using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using NetAutomation.Billing.Receipts;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>
/// Issues and voids, in the caller's transaction. The number is the next one of the tenant and the document names the hash of the one
/// before it; both are keys, so that the second of two attempts at once finds nothing to do.
/// </summary>
internal sealed class IssueInvoices(SystemDb db, IOptions<BillingOptions> options)
{
    /// <summary>Freezes a draft. Null where there is no such draft.</summary>
    /// <param name="by">Who issues, as in the audit.</param>
    public async Task<InvoiceHead?> Issue(TenantId tenant, InvoiceId id, string by, CancellationToken cancel)
    {
        // One issuer at a time, so that the numbers of invoices and credit notes have no gaps.
        await db.Execute($"select from billing.account where tenant_id = {tenant.Value} for no key update", cancel);
        // Wait for charges that are being written; later ones see the month closed.
        await db.Execute($"select from billing.invoice where tenant_id = {tenant.Value} and id = {id.Value} for update", cancel);
        if (await InvoiceHead.Find(db, null, 1, cancel, id, tenant, "draft") is not [var head])
        {
            return null;
        }

        var next = (await db.Query<Place>(
            $"""
            select n.seq, n.at, billing.document_number(case when {head.Kind} = 'invoice' then 'INV' else 'STM' end, n.at, n.seq) as number,
              n.previous, r.seq as receipts, r.hash as receipts_hash
            from (select coalesce(max(i.seq), 0) + 1 as seq, date_trunc('milliseconds', now()) as at,
                    coalesce((array_agg(i.document_sha256 order by i.seq desc))[1], decode(repeat('00', 32), 'hex')) as previous
                  from billing.invoice i where i.tenant_id = {tenant.Value} and i.kind = {head.Kind} and i.seq is not null) n
              left join billing.receipt_head r on r.tenant_id = {tenant.Value}
            """,
            cancel))[0];
        var due = head.Kind == "invoice" ? next.At.AddDays(options.Value.DueDays) : (DateTimeOffset?)null;
        var document = await InvoiceDocument.Of(db, head, options.Value.Issuer, cancel) with
        {
            Number = next.Number,
            IssuedAt = next.At,
            DueAt = due,
            PreviousHash = ReceiptChain.Text(next.Previous),
            Receipts = next is { Receipts: { } seq, ReceiptsHash: { } hash } ? new ReceiptAnchor(seq, ReceiptChain.Text(hash)) : null,
        };
        var bytes = document.Canonical();
        var text = System.Text.Encoding.UTF8.GetString(bytes);
        await db.Execute(
            $"""
            update billing.invoice set state = 'issued', seq = {next.Seq}, issued_at = {next.At}, due_at = {due},
              exact_micros = {document.Exact.Micros}, rounding_micros = {document.Rounding.Micros},
              total_micros = {document.Total.Micros}, document = {text}, document_sha256 = {SHA256.HashData(bytes)},
              previous_sha256 = {next.Previous}
            where tenant_id = {tenant.Value} and id = {id.Value} and state = 'draft'
            """,
            cancel);
        await Audit(tenant, by, "invoice.issued", id, new { document.Number, document.Total }, cancel);
        return await InvoiceHead.Find(db, id, cancel);
    }

    /// <summary>Voids an issued invoice. Its charges stand on a new draft of the same month in the same instant.</summary>
    public async Task<Problem?> Void(InvoiceHead head, string reason, string by, CancellationToken cancel)
    {
        await db.Execute($"select from billing.account where tenant_id = {head.TenantId.Value} for no key update", cancel);
        var (tenant, id, next) = (head.TenantId.Value, head.Id.Value, Guid.CreateVersion7());
        if (head.Paid > Money.Zero || head.Kind != "invoice" || await db.Execute(
            $"""
            update billing.invoice set state = 'void', voided_at = now(), voided_by = {by}, void_reason = {reason}
            where tenant_id = {tenant} and id = {id} and state = 'issued'
            """,
            cancel) == 0)
        {
            return Problems.InvoiceFixed.With(
                "Only an issued invoice without payments can be voided. Correct it by a reversal, credit or debit.");
        }

        await db.Execute(
            $"""
            insert into billing.invoice (tenant_id, id, kind, currency, period, revision, replaces)
            select tenant_id, {next}, kind, currency, period, revision + 1, id from billing.invoice where tenant_id = {tenant} and id = {id}
            """,
            cancel);
        await db.Execute(
            $"""
            insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
            select tenant_id, charge_id, {next}, currency, amount_micros from billing.invoice_line
            where tenant_id = {tenant} and invoice_id = {id}
            """,
            cancel);
        await Audit(head.TenantId, by, "invoice.voided", head.Id, new { reason, replacedBy = new InvoiceId(next) }, cancel);
        return null;
    }

    private Task Audit(TenantId tenant, string by, string action, InvoiceId id, object data, CancellationToken cancel) =>
        new AuditLog(db).Append(tenant, by, by, null, action, $"{id}", data, cancel);

    private sealed record Place(int Seq, DateTimeOffset At, string Number, byte[] Previous, long? Receipts, byte[]? ReceiptsHash);
}
