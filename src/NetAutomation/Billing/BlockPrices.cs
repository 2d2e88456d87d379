namespace NetAutomation.Billing;

/// <summary>What a block costs, in US dollars. Zero where a part is free.</summary>
/// <param name="ApplyRun">Once per applied run with a billable device.</param>
/// <param name="ApplyDevice">Per billable device of an applied run.</param>
/// <param name="ApplyMinute">Per started minute of an applied run with a billable device.</param>
/// <param name="CheckRun">Once per check run with a billable device.</param>
/// <param name="CheckDevice">Per billable device of a check run.</param>
/// <param name="CheckMinute">Per started minute of a check run.</param>
/// <param name="RentalMonth">Rent for a month; runs are included. Null: not for rent.</param>
/// <param name="OwnedOnce">Price for good; runs are included. Null: not for sale.</param>
/// <param name="FreePerMonth">By part, such as <c>apply/device</c>: how many cost nothing in each month (UTC). Null where none do.</param>
public sealed record BlockPrices(
    Money ApplyRun,
    Money ApplyDevice,
    Money ApplyMinute,
    Money CheckRun,
    Money CheckDevice,
    Money CheckMinute,
    Money? RentalMonth,
    Money? OwnedOnce,
    IReadOnlyDictionary<string, long>? FreePerMonth = null)
{
    /// <summary>Price of one, of a check run or of an applied one.</summary>
    internal Money Of(bool check, PriceComponent component) => (check, component) switch
    {
        (false, PriceComponent.Run) => ApplyRun,
        (false, PriceComponent.Device) => ApplyDevice,
        (false, PriceComponent.Minute) => ApplyMinute,
        (true, PriceComponent.Run) => CheckRun,
        (true, PriceComponent.Device) => CheckDevice,
        (true, PriceComponent.Minute) => CheckMinute,
    };
}

/// <summary>One line of a price.</summary>
/// <param name="Component">What is counted.</param>
/// <param name="Sku">Name of the price, stable over its versions.</param>
/// <param name="PriceVersionId">The immutable price this line is pinned to.</param>
/// <param name="UnitPrice">Price of one.</param>
/// <param name="Quantity">The most that can be charged for.</param>
/// <param name="Amount">Unit price times quantity.</param>
/// <param name="FreePerMonth">How many of these cost nothing in each month (UTC); what is left of them when the run starts lowers what is
/// held.</param>
public sealed record PriceLine(
    PriceComponent Component, string Sku, PriceVersionId PriceVersionId, Money UnitPrice, long Quantity, Money Amount,
    long FreePerMonth = 0);
