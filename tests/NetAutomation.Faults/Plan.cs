using System.Diagnostics.CodeAnalysis;

namespace NetAutomation.Faults;

/// <summary>A run that the rig requests.</summary>
/// <param name="Key">Its Idempotency-Key, and the label by which the checker finds it in the tables.</param>
/// <param name="Lines">The lines that it configures; no other run has any of them.</param>
internal sealed record PlannedRun(string Key, int Round, string Mode, IReadOnlyList<string> Devices, IReadOnlyList<string> Lines)
{
    /// <summary>The run's id from the 202 answer.</summary>
    public string? Id { get; set; }
}

/// <summary>A fault that was injected.</summary>
/// <param name="Affected">Keys of the runs that the victim was executing.</param>
internal sealed record Fault(string Kind, int Round, double At, string Victim, IReadOnlyList<string> Affected);

/// <summary>The seed's decisions for one round; the same seed and round give the same plan.</summary>
internal sealed class Plan
{
    /// <summary>The kind that has rounds of its own: one customer attacks, another one works.</summary>
    public const string Abuse = "abuse";

    /// <summary>The kind whose rounds are guarded changes (GuardPlan).</summary>
    public const string Guard = "guard";

    public static readonly string[] Kinds =
        ["kill-worker", "kill-api", "kill-connector", "kill-postgres", "stop-worker", "cut-1", "cut-10", "cut-60", "cut-forever",
            "slow-readers"];

    /// <summary>Devices 1 to 8 have two connectors, 9 to 12 one.</summary>
    public static readonly (int First, int Count, int[] Connectors)[] Sites = [(1, 8, [1, 2]), (9, 4, [3])];

    private readonly Random _random;

    public Plan(int seed, int round, string kind)
    {
        _random = Seeded((seed * 1_000_003) + round);
        (Round, Kind) = (round, kind);
        var site = Sites[_random.Next(3) == 0 ? 1 : 0];
        Connector = site.Connectors[_random.Next(site.Connectors.Length)];
        Replica = _random.Next(1, 3);
        // A fault of a worker needs a run that a worker has claimed.
        Moment = (Moment)_random.Next(kind.EndsWith("worker", StringComparison.Ordinal) ? 1 : 0, 5);
        Jitter = TimeSpan.FromSeconds(_random.NextDouble() * 1.5);
        Outage = TimeSpan.FromSeconds(kind == "kill-postgres" ? _random.Next(1, 16) : _random.Next(0, 11));
        Pauses = [.. Enumerable.Range(0, 12).Select(_ => Math.Round(0.2 + _random.NextDouble(), 2))];
        var first = Run(site, "apply");
        var runs = new List<PlannedRun> { first };
        for (var more = _random.Next(1, 3); more > 0; more--)
        {
            // Half of them use a device of the first run and have to wait for it.
            runs.Add(
                Run(_random.Next(4) == 0 ? Sites[0] : site, _random.Next(5) == 0 ? "check" : "apply",
                    _random.Next(2) == 0 ? first.Devices[0] : null));
        }

        Runs = runs;
    }

    public int Round { get; }

    public string Kind { get; }

    public IReadOnlyList<PlannedRun> Runs { get; }

    public Moment Moment { get; }

    public TimeSpan Jitter { get; }

    /// <summary>How long a killed process stays down.</summary>
    public TimeSpan Outage { get; }

    public int Connector { get; }

    public int Replica { get; }

    /// <summary>Seconds for each device to take one line.</summary>
    public IReadOnlyList<double> Pauses { get; }

    /// <summary>The fault kinds of all rounds: every kind once in an order that the seed decides, then again in another order.</summary>
    public static IEnumerable<string> Order(int seed, int rounds, IReadOnlyList<string> kinds)
    {
        var random = Seeded(seed);
        return Enumerable.Range(0, rounds).Chunk(kinds.Count).SelectMany(some =>
        {
            var order = kinds.ToArray();
            random.Shuffle(order);
            return order[..some.Length];
        });
    }

    /// <summary>The same work twice, with much output: first alone, then with slow readers.</summary>
    public (PlannedRun Alone, PlannedRun Read) Compared()
    {
        string[] devices = [.. Enumerable.Range(1, 6).Select(Name)];
        return (
            new($"{Guid.NewGuid()}", Round, "apply", devices, Lines("alone", 250)),
            new($"{Guid.NewGuid()}", Round, "apply", devices, Lines("read", 250)));
    }

    [SuppressMessage("Security", "S2245", Justification = "A seed has to give the same again.")]
    private static Random Seeded(int seed) => new(seed);

    private static string Name(int device) => $"d{device:00}";

    private PlannedRun Run((int First, int Count, int[] Connectors) site, string mode, string? also = null)
    {
        var devices = Enumerable.Range(site.First, site.Count).ToArray();
        _random.Shuffle(devices);
        var names = devices[.._random.Next(1, Math.Min(5, site.Count) + 1)].Select(Name).Append(also ?? Name(devices[0])).Distinct()
            .ToArray();
        var key = Guid.NewGuid().ToString();
        return new PlannedRun(key, Round, mode, names, Lines(key, _random.Next(2, 6)));
    }

    private readonly Dictionary<string, int> _numbers = [];

    /// <summary>One prefix per run of the round, one next hop per line.</summary>
    private string[] Lines(string key, int count)
    {
        _numbers[key] = _numbers.Count;
        return [.. Enumerable.Range(0, count).Select(i => $"ip route 10.{Round}.{_numbers[key]}.0/24 192.0.2.{i + 1}")];
    }
}

/// <summary>The moment in the life of the round's first run when the fault is injected.</summary>
internal enum Moment
{
    Accepted,
    Running,
    SessionOpen,
    FirstLine,
    Saved,
}
