using NetAutomation.Billing.Receipts;
using NetAutomation.Persistence;

namespace NetAutomation.Billing;

/// <summary>Proof of what was done to one device and what it cost.</summary>
/// <param name="Seq">Place in the tenant's chain.</param>
/// <param name="BlockDigest">Digest of the block version that ran.</param>
/// <param name="PlatformDigest">Digest of the platform version that was used.</param>
/// <param name="EngineVersion">Version of the engine that ran it; null where none did.</param>
/// <param name="InputHash">SHA-256 of the input.</param>
/// <param name="DiffHash">SHA-256 of the diff.</param>
/// <param name="BeforeHash">SHA-256 of the configuration before, where known.</param>
/// <param name="AfterHash">SHA-256 of the configuration after, where known.</param>
/// <param name="Price">What this device cost.</param>
/// <param name="PriceVersionId">The price it was pinned to.</param>
/// <param name="SettledAt">When it was settled.</param>
/// <param name="PreviousHash">Hash of the receipt before.</param>
/// <param name="Hash">SHA-256 over this receipt and the hash before it.</param>
public sealed record Receipt(
    long Seq,
    string BlockDigest,
    string? PlatformDigest,
    string? EngineVersion,
    string InputHash,
    string? DiffHash,
    string? BeforeHash,
    string? AfterHash,
    Money Price,
    PriceVersionId PriceVersionId,
    DateTimeOffset SettledAt,
    string PreviousHash,
    string Hash)
{
    internal static async Task<Receipt?> Find(NetAutomationDb db, RunId run, DeviceId device, CancellationToken cancel) =>
        (await db.Query<Receipt>(
            $"select {ReceiptChain.Columns} from billing.receipt where run_id = {run.Value} and device_id = {device.Value}",
            cancel)).FirstOrDefault();
}
