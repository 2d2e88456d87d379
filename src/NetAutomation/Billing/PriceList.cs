using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing;

/// <summary>Prices as immutable versions. A price in force for one tenant comes before the general one.</summary>
internal sealed class PriceList
{
    private const string Apply = "apply";
    private const string Check = "check";
    private static readonly string[] _modes = [Apply, Check];

    /// <summary>
    /// Makes these the prices of the block from now on. A version with the same price stays, and so does a price that the staff set, until
    /// it is ended.
    /// </summary>
    public static async Task Publish(SystemDb db, string slug, BlockPrices prices, CancellationToken cancel)
    {
        var wanted = new Dictionary<string, Money?>(StringComparer.Ordinal)
        {
            [$"{slug}/rental/month"] = prices.RentalMonth,
            [$"{slug}/owned/once"] = prices.OwnedOnce,
            [Included(slug)] = Money.Zero,
        };
        foreach (var (mode, component) in _modes.SelectMany(mode => PriceComponents.All.Select(component => (mode, component))))
        {
            wanted[Sku(slug, mode, component)] = prices.Of(mode == Check, component);
        }

        // Not now(): this transaction may have waited for another publisher, whose prices are newer than its start.
        var from = await db.Scalar<DateTimeOffset>($"select clock_timestamp()", cancel);
        var open = (await db.Query<Price>(
            $"""
            select id, sku, unit_micros, free_per_month, origin from billing.price_version
            where sku like {slug + "/%"} and upper_inf(valid) and scope = '00000000-0000-0000-0000-000000000000'
            """,
            cancel)).ToDictionary(price => price.Sku, StringComparer.Ordinal);
        foreach (var (sku, price) in wanted)
        {
            var current = open.GetValueOrDefault(sku);
            if (current?.UnitMicros == price?.Micros || current?.Origin == "operator")
            {
                continue;
            }

            if (current is not null)
            {
                await db.Execute(
                    $"update billing.price_version set valid = tstzrange(lower(valid), {from}) where id = {current.Id.Value}", cancel);
            }

            if (price is { } amount)
            {
                await db.Execute(
                    $"""
                    insert into billing.price_version (id, sku, currency, unit_micros, valid)
                    values ({Guid.CreateVersion7()}, {sku}, {Money.Currency}, {amount.Micros}, tstzrange({from}, null))
                    """,
                    cancel);
            }
        }
    }

    /// <summary>The prices the current tenant would pay now; null where the block has none.</summary>
    public static async Task<BlockPrices?> Current(NetAutomationDb db, string slug, CancellationToken cancel)
    {
        var prices = (await InForce(db, slug, cancel)).ToDictionary(price => price.Sku, StringComparer.Ordinal);
        if (prices.Count == 0)
        {
            return null;
        }

        Money? Offered(string part) => prices.TryGetValue($"{slug}/{part}", out var price) ? new Money(price.UnitMicros) : null;
        Money Of(string mode, PriceComponent component) => Offered($"{mode}/{Wire.Name(component)}") ?? Money.Zero;
        var free = prices.Values.Where(price => price.FreePerMonth > 0)
            .ToDictionary(price => price.Sku[(slug.Length + 1)..], price => price.FreePerMonth, StringComparer.Ordinal);
        return new BlockPrices(
            Of(Apply, PriceComponent.Run), Of(Apply, PriceComponent.Device), Of(Apply, PriceComponent.Minute),
            Of(Check, PriceComponent.Run), Of(Check, PriceComponent.Device), Of(Check, PriceComponent.Minute),
            Offered("rental/month"), Offered("owned/once"), free.Count > 0 ? free : null);
    }

    /// <summary>The most that a run can cost, one line for each component.</summary>
    /// <param name="mode"><c>apply</c> or <c>check</c>.</param>
    /// <param name="included">The block is rented or owned, so its runs cost nothing.</param>
    /// <param name="timeout">The run's hard time limit.</param>
    public static async Task<IReadOnlyList<PriceLine>> Lines(
        NetAutomationDb db, string slug, string mode, bool included, int devices, TimeSpan timeout, CancellationToken cancel)
    {
        if (!_modes.Contains(mode, StringComparer.Ordinal))
        {
            throw new ArgumentOutOfRangeException(nameof(mode));
        }

        var prices = (await InForce(db, slug, cancel)).ToDictionary(price => price.Sku, StringComparer.Ordinal);
        return [.. PriceComponents.All.Select(component =>
        {
            var price = prices[included ? Included(slug) : Sku(slug, mode, component)];
            var quantity = component.Quantity(devices, StartedMinutes(timeout));
            return new PriceLine(
                component, price.Sku, price.Id, new Money(price.UnitMicros), quantity, new Money(price.UnitMicros) * quantity,
                price.FreePerMonth);
        })];
    }

    /// <summary>The price of renting or buying the block; null where it is not offered.</summary>
    /// <param name="part"><c>rental/month</c> or <c>owned/once</c>.</param>
    public static async Task<(PriceVersionId Id, Money Unit)?> Offer(
        NetAutomationDb db, string slug, string part, CancellationToken cancel) =>
        (await InForce(db, slug, cancel)).FirstOrDefault(price => price.Sku == $"{slug}/{part}") is { } price
            ? (price.Id, new Money(price.UnitMicros)) : null;

    /// <summary>A minute that was begun counts, and the first one always.</summary>
    public static long StartedMinutes(TimeSpan ran) => Math.Max(1, (long)Math.Ceiling(ran / TimeSpan.FromMinutes(1)));

    private static string Sku(string slug, string mode, PriceComponent component) => $"{slug}/{mode}/{Wire.Name(component)}";

    private static string Included(string slug) => $"{slug}/included";

    // The policy of the table leaves the general prices and the tenant's own. Under a policy an index serves ^@, which is leakproof, but
    // not "like".
    private static Task<List<Price>> InForce(NetAutomationDb db, string slug, CancellationToken cancel) => db.Query<Price>(
        $"""
        select distinct on (sku) id, sku, unit_micros, free_per_month, origin from billing.price_version
        where sku ^@ {slug + "/"} and valid @> now() order by sku, scope desc
        """,
        cancel);

    private sealed record Price(PriceVersionId Id, string Sku, long UnitMicros, long FreePerMonth, string Origin);
}
