using System.ComponentModel;
using System.Text;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Receipts;

/// <summary>
/// The tenant's receipts as lines that prove themselves: a line without its last member, <c>hash</c>, is exactly what that hash is of.
/// <c>netautomation-connector verify-receipts</c> checks them and knows nothing but this rule.
/// </summary>
internal static class ExportReceipts
{
    public const string MediaType = "application/x-ndjson";
    private const int Chunk = 1000;

    /// <summary>Every receipt after a number, oldest first, one JSON object a line: with run, device, outcome, hashes and price.</summary>
    public static IResult Handle(
        NetAutomationDb db, Caller caller, CancellationToken cancel, [Description("Receipts after this seq.")] long after = 0) =>
        TypedResults.Stream(body => Write(db, caller.Tenant, after, body, cancel), MediaType, "receipts.ndjson");

    private static async Task Write(NetAutomationDb db, TenantId tenant, long after, Stream body, CancellationToken cancel)
    {
        List<ReceiptChain.Row> rows;
        do
        {
            rows = await Read(db, tenant, after, cancel);
            foreach (var row in rows)
            {
                var line = ReceiptChain.Bytes(row);
                await body.WriteAsync(line.AsMemory(0, line.Length - 1), cancel);
                await body.WriteAsync(Encoding.ASCII.GetBytes($",\"hash\":\"{ReceiptChain.Text(row.Hash)}\"}}\n"), cancel);
                after = row.Seq;
            }
        }
        while (rows.Count == Chunk);
    }

    // A transaction for each chunk: a slow reader keeps none open.
    private static async Task<List<ReceiptChain.Row>> Read(NetAutomationDb db, TenantId tenant, long after, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        return await db.Query<ReceiptChain.Row>(
            $"""
            select seq, run_id, device_id, outcome, block_digest, input_hash, diff_hash, before_hash, after_hash, price_micros, price_version_id, settled_at,
              previous_hash, hash
            from billing.receipt where tenant_id = {tenant.Value} and seq > {after} order by seq limit {Chunk}
            """,
            cancel);
    }
}
