using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web.Http;

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
        NetAutomationDb db, Caller caller, HttpContext http, [Description("Receipts after this seq.")] long after = 0) =>
        ExportBody.Of(http, MediaType, "receipts.ndjson", body => Write(db, caller.Tenant, after, body));

    /// <summary>The same lines as part of a tenant's export.</summary>
    public static async IAsyncEnumerable<JsonElement> Rows(
        NetAutomationDb db, TenantId tenant, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var line in Lines(db, tenant, 0, cancel))
        {
            yield return JsonElement.Parse(line);
        }
    }

    private static async Task Write(NetAutomationDb db, TenantId tenant, long after, ExportBody body)
    {
        await foreach (var line in Lines(db, tenant, after, body.Cancel))
        {
            await body.Write((byte[])[.. line, (byte)'\n']);
        }
    }

    private static async IAsyncEnumerable<byte[]> Lines(
        NetAutomationDb db, TenantId tenant, long after, [EnumeratorCancellation] CancellationToken cancel)
    {
        List<ReceiptChain.Canonical> receipts;
        do
        {
            receipts = await Read(db, tenant, after, cancel);
            foreach (var receipt in receipts)
            {
                yield return [
                    .. ReceiptChain.Bytes(receipt).AsSpan()[..^1], .. Encoding.ASCII.GetBytes($",\"hash\":\"{receipt.Hash}\"}}")];
                after = receipt.Seq;
            }
        }
        while (receipts.Count == Chunk);
    }

    // A transaction for each chunk: a slow reader keeps none open.
    private static async Task<List<ReceiptChain.Canonical>> Read(
        NetAutomationDb db, TenantId tenant, long after, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        return await db.Query<ReceiptChain.Canonical>(
            $"""
            select {ReceiptChain.Columns} from billing.receipt where tenant_id = {tenant.Value} and seq > {after} order by seq limit {Chunk}
            """,
            cancel);
    }
}
