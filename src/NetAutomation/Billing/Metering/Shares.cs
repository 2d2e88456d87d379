using System.Numerics;
using System.Text.Json;

namespace NetAutomation.Billing.Metering;

/// <summary>
/// Shows the buyer which blocks a record's units are of. The shares are whole and sum to the units exactly (largest remainder).
/// </summary>
internal static class Shares
{
    // AWS takes 2,500 for a record, but also no more than 1 MB for the 25 records of a call.
    private const int Most = 250;
    private const string Others = "other";
    private const string Key = "block";

    /// <param name="amounts">Micros of each block; those at or below zero get no share.</param>
    public static IReadOnlyList<(string Block, int Units)> Of(int units, IEnumerable<(string Block, long Micros)> amounts)
    {
        var ranked = amounts.GroupBy(each => each.Block, StringComparer.Ordinal)
            .Select(block => (Block: block.Key, Micros: block.Sum(each => each.Micros)))
            .Where(block => block.Micros > 0)
            .OrderByDescending(block => block.Micros).ThenBy(block => block.Block, StringComparer.Ordinal).ToList();
        if (ranked.Count > Most)
        {
            var rest = ranked.Skip(Most - 1).Sum(block => block.Micros);
            ranked = [.. ranked.Take(Most - 1), (Others, rest)];
        }

        BigInteger whole = ranked.Sum(block => block.Micros);
        var shares = ranked.ConvertAll(block =>
        {
            var units64 = BigInteger.DivRem(block.Micros * (BigInteger)units, whole, out var remainder);
            return (block.Block, Units: (int)units64, Remainder: remainder);
        });
        var left = units - shares.Sum(share => share.Units);
        return [.. shares.OrderByDescending(share => share.Remainder).ThenBy(share => share.Block, StringComparer.Ordinal)
            .Select((share, place) => (share.Block, Units: share.Units + (place < left ? 1 : 0)))
            .Where(share => share.Units > 0).OrderBy(share => share.Block, StringComparer.Ordinal)];
    }

    /// <summary>UsageAllocations as JSON; null where no block has a share.</summary>
    public static string? Json(int units, IEnumerable<(string Block, long Micros)> amounts)
    {
        var shares = units == 0 ? [] : Of(units, amounts);
        return shares.Count == 0 ? null : JsonSerializer.Serialize(
            shares.Select(share => new Allocation(share.Units, [new Tag(Key, share.Block)])));
    }

    /// <summary>Reads the text that <see cref="Json"/> wrote, in micros.</summary>
    public static IEnumerable<(string Block, long Micros)> Read(string? json, long unitMicros) =>
        json is null
            ? [] : JsonSerializer.Deserialize<Allocation[]>(json)!.Select(
                each => (each.Tags[0].Value, each.AllocatedUsageQuantity * unitMicros));

    private sealed record Allocation(int AllocatedUsageQuantity, Tag[] Tags);

    private sealed record Tag(string Key, string Value);
}
