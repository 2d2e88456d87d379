namespace NetAutomation.Tests.Billing;

/// <summary>
/// A second calculation of what a tenant owes: plain sums over lists, by the documentation. It shares no code with the product and never
/// reads the database.
/// </summary>
internal sealed class MoneyModel
{
    private static readonly string[] _components = ["run", "device", "minute"];
    private readonly Dictionary<string, (long Unit, long Free)> _prices = [];
    private readonly Dictionary<string, long> _freeTaken = [];

    public HashSet<(string Block, string Kind)> Rights { get; } = [];

    public Dictionary<string, Run> Runs { get; } = [];

    /// <summary>Amounts by their source: a run, an order, an adjustment.</summary>
    public List<(string Source, long Amount)> Charges { get; } = [];

    public long? Budget { get; set; }

    /// <summary>The amount that AWS Marketplace must have when all sealed records are reported.</summary>
    public long Reported { get; private set; }

    /// <summary>Sum of the quantities of all usage events.</summary>
    public long Usage { get; private set; }

    public long Charged => Charges.Sum(charge => charge.Amount);

    public long Held => Runs.Values.Where(run => !run.Ended).Sum(run => run.Lines.Sum(line => line.Hold));

    public void Price(string sku, long unit, long free) => _prices[sku] = (unit, free);

    public long PriceOf(string sku) => _prices.GetValueOrDefault(sku).Unit;

    /// <summary>The price of a run as it is quoted now.</summary>
    public Line[] Quote(string block, string mode, int devices, int minutes)
    {
        var included = Rights.Contains((block, "owned")) || Rights.Contains((block, "rental"));
        return [.. _components.Select(component =>
        {
            var sku = $"{block}/{mode}/{component}";
            var (unit, free) = included ? (0, 0) : _prices.GetValueOrDefault(sku);
            return new Line(component, sku, unit, free, component switch { "run" => 1, "device" => devices, _ => minutes });
        })];
    }

    /// <summary>The refusal of a run at this quote, or the amount that it reserves.</summary>
    public (string? Refusal, Line[] Lines) Hold(Line[] quoted, long? maxPrice)
    {
        Line[] lines = [.. quoted.Select(line => line with
        {
            FreeHeld = line.Unit > 0 ? Math.Min(line.Quantity, Math.Max(0, line.Free - _freeTaken.GetValueOrDefault(line.Sku))) : 0,
        })];
        var total = lines.Sum(line => line.Hold);
        return (maxPrice < total ? "price_above_max" : OverBudget(total) ? "budget_exceeded" : null, lines);
    }

    public void Start(string id, Line[] lines, string[] devices)
    {
        foreach (var line in lines)
        {
            _freeTaken[line.Sku] = _freeTaken.GetValueOrDefault(line.Sku) + line.FreeHeld;
        }

        Runs[id] = new Run(lines, devices);
    }

    /// <summary>Ends a run with this number of devices ok or changed.</summary>
    public long End(string id, int billable, int minutes = 1)
    {
        var run = Runs[id];
        run.Ended.ShouldBeFalse();
        run.Ended = true;
        long total = 0;
        foreach (var line in run.Lines)
        {
            var quantity = billable == 0
                ? 0 : line.Component switch { "run" => 1, "device" => billable, _ => Math.Min(minutes, line.Quantity) };
            var free = Math.Min(quantity, line.FreeHeld);
            _freeTaken[line.Sku] -= line.FreeHeld - free;
            run.FreeUsed[line.Component] = free;
            if ((quantity - free) * line.Unit is > 0 and var amount)
            {
                Charges.Add(($"{id}/{line.Component}", amount));
                total += amount;
            }
        }

        Usage += billable == 0 ? 0 : 2 + billable;
        (run.Charged, run.Billable) = (total, billable);
        return total;
    }

    public string? Buy(string block, string kind, int months, string order, long? maxPrice)
    {
        if (Rights.Contains((block, kind)))
        {
            return "already_entitled";
        }

        var price =
            kind switch { "rental" => PriceOf($"{block}/rental/month") * months, "owned" => PriceOf($"{block}/owned/once"), _ => 0 };
        if (maxPrice < price)
        {
            return "price_above_max";
        }

        if (kind != "pay_per_use" && OverBudget(price))
        {
            return "budget_exceeded";
        }

        Rights.Add((block, kind));
        if (price > 0)
        {
            Charges.Add((order, price));
        }

        return null;
    }

    /// <summary>Reports whole units of the amount owed until now; the rest, or a credit, waits for the next hour.</summary>
    public void CloseHour(long unit)
    {
        Reported += Math.Max(0, (Charged - (Reported * unit)) / unit);

    }

    /// <summary>Reverses a charge and its usage. Returns false if the credits would exceed the charges.</summary>
    public bool Reverse(string source)
    {
        if (!Adjust($"reversal of {source}", -Charges.Single(charge => charge.Source == source).Amount))
        {
            return false;
        }

        if (source.Split('/') is [var run, var component])
        {
            TakeBack(run, component);
        }

        return true;
    }

    /// <summary>
    /// Reverses what the runs of a block cost, in the order of runs and components, up to the first charge that would have the credits
    /// exceed the charges. Returns what was given back, and whether that was all.
    /// </summary>
    public (long Amount, bool All) ReverseRuns(string block)
    {
        var before = Charged;
        foreach (var (id, run) in Runs.Where(each => each.Value.Billable > 0).OrderBy(each => each.Key, StringComparer.Ordinal))
        {
            foreach (var line in run.Lines.Where(each => each.Sku.StartsWith($"{block}/", StringComparison.Ordinal))
                .OrderBy(each => each.Component, StringComparer.Ordinal))
            {
                var source = $"{id}/{line.Component}";
                if (!Charges.Exists(charge => charge.Source == source))
                {
                    // It cost nothing. Where it used free units they are free again, and its usage is taken back.
                    if (run.FreeUsed[line.Component] > 0)
                    {
                        TakeBack(id, line.Component);
                    }
                }
                else if (!Charges.Exists(charge => charge.Source == $"reversal of {source}") && !Reverse(source))
                {
                    return (before - Charged, false);
                }
            }
        }

        return (before - Charged, true);
    }

    private void TakeBack(string id, string component)
    {
        var run = Runs[id];
        Usage -= component == "device" ? run.Billable : 1;
        _freeTaken[run.Lines.Single(line => line.Component == component).Sku] -= run.FreeUsed[component];
        run.FreeUsed[component] = 0;
    }

    /// <summary>Returns false if the credits would exceed the charges.</summary>
    public bool Adjust(string document, long amount)
    {
        if (Charged + amount < 0)
        {
            return false;
        }

        Charges.Add((document, amount));
        return true;
    }

    private bool OverBudget(long more) => Budget is { } ceiling && Charged + Held + more > ceiling;

    /// <summary>One component of a run's price.</summary>
    internal sealed record Line(string Component, string Sku, long Unit, long Free, long Quantity, long FreeHeld = 0)
    {
        public long Hold => (Quantity - FreeHeld) * Unit;
    }

    /// <summary>A run that was accepted.</summary>
    internal sealed class Run(Line[] lines, string[] devices)
    {
        public Line[] Lines => lines;

        public string[] Devices => devices;

        /// <summary>Free units that it used of each component, until they are given back.</summary>
        public Dictionary<string, long> FreeUsed { get; } = [];

        public bool Ended { get; set; }

        public long Charged { get; set; }

        public int Billable { get; set; }
    }
}
