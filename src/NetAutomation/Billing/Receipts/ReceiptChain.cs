using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using NetAutomation.Billing.Ledger;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Receipts;

/// <summary>One receipt per device outcome, hash-chained per tenant: changing or dropping one breaks every later hash.</summary>
internal static class ReceiptChain
{
    /// <summary>Columns of billing.receipt as <see cref="Canonical"/> and <see cref="Receipt"/> name them.</summary>
    public static readonly FormattableString Columns =
        $"""
        seq, run_id, device_id, outcome, block_digest, platform_digest, engine_version, input_hash, diff_hash, before_hash, after_hash,
        price_micros as price, price_version_id, settled_at, 'sha256:' || encode(previous_hash, 'hex') as previous_hash,
        'sha256:' || encode(hash, 'hex') as hash
        """;

    public static async Task Append(NetAutomationDb db, TenantId tenant, RunFacts facts, Reserved devicePrice, CancellationToken cancel)
    {
        db.SendWithNext(
            $"insert into billing.receipt_head (tenant_id, seq, hash) values ({tenant.Value}, 0, {new byte[32]}) on conflict do nothing");
        var head = (await db.Query<Head>(
            $"""
            select seq, hash, date_trunc('milliseconds', now()) as settled_at from billing.receipt_head
            where tenant_id = {tenant.Value} for update
            """,
            cancel))[0];
        var free = devicePrice.FreeQuantity;
        // The first billable devices are those the free allowance pays for, so that the receipts of a run add up to its device charge.
        var prices = facts.Devices.Select(device => device.Billable && free-- <= 0 ? devicePrice.UnitMicros : 0).ToArray();
        var hashes = new byte[prices.Length][];
        for (var i = 0; i < prices.Length; i++)
        {
            var device = facts.Devices[i];
            hashes[i] = SHA256.HashData(Bytes(new Canonical(
                head.Seq + i + 1, facts.Run, device.Device, device.Outcome, facts.BlockDigest, device.PlatformDigest, facts.EngineVersion,
                facts.InputHash, device.DiffHash, device.BeforeHash, device.AfterHash, new Money(prices[i]),
                new PriceVersionId(devicePrice.PriceVersionId), head.SettledAt, Text(i == 0 ? head.Hash : hashes[i - 1]))));
        }

        if (hashes is not [.., var last])
        {
            return;
        }

        Guid[] devices = [.. facts.Devices.Select(device => device.Device.Value)];
        string[] outcomes = [.. facts.Devices.Select(device => device.Outcome)];
        string?[] platforms = [.. facts.Devices.Select(device => device.PlatformDigest)];
        string?[] diffs = [.. facts.Devices.Select(device => device.DiffHash)];
        string?[] before = [.. facts.Devices.Select(device => device.BeforeHash)];
        string?[] after = [.. facts.Devices.Select(device => device.AfterHash)];
        byte[][] previous = [head.Hash, .. hashes[..^1]];
        db.SendWithNext(
            $"""
            insert into billing.receipt (
              tenant_id, seq, run_id, device_id, outcome, block_digest, platform_digest, engine_version, input_hash,
              diff_hash, before_hash, after_hash, price_micros, price_version_id, settled_at, previous_hash, hash)
            select {tenant.Value}, {head.Seq} + n, {facts.Run.Value}, d, o, {facts.BlockDigest}, y, {facts.EngineVersion},
              {facts.InputHash}, f, b, a, m, {devicePrice.PriceVersionId}, {head.SettledAt}, p, h
            from unnest({devices}, {outcomes}, {platforms}, {diffs}, {before}, {after}, {prices}, {previous}, {hashes})
              with ordinality as r (d, o, y, f, b, a, m, p, h, n)
            """);
        db.SendWithNext(
            $"update billing.receipt_head set seq = {head.Seq + hashes.Length}, hash = {last} where tenant_id = {tenant.Value}");
    }

    public static string Text(byte[] hash) => $"sha256:{Convert.ToHexStringLower(hash)}";

    /// <summary>The bytes that are hashed.</summary>
    public static byte[] Bytes(Canonical receipt) => JsonSerializer.SerializeToUtf8Bytes(receipt, Json.Api);

    /// <summary>The hashed content: this record as JSON in this order.</summary>
    public sealed record Canonical(
        long Seq, RunId RunId, DeviceId DeviceId, string Outcome, string BlockDigest, string? PlatformDigest, string? EngineVersion,
        string InputHash, string? DiffHash, string? BeforeHash, string? AfterHash, Money Price, PriceVersionId PriceVersionId,
        DateTimeOffset SettledAt, string PreviousHash)
    {
        /// <summary>The hash that is stored with the receipt.</summary>
        [JsonIgnore]
        public string Hash { get; init; } = "";
    }

    private sealed record Head(long Seq, byte[] Hash, DateTimeOffset SettledAt);
}
