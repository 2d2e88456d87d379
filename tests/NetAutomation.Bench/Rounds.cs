using System.Diagnostics;
using System.Globalization;

namespace NetAutomation.Bench;

/// <summary>
/// Measures several ways to do the same thing in turns, so that other load on the machine affects all of them: each round measures each
/// side once, and every other round reverses the order. Ratios compare values of the same round.
/// </summary>
internal sealed class Rounds
{
    private readonly Dictionary<string, List<double>> _values = new(StringComparer.Ordinal);
    private readonly List<double> _spins = [];

    private Rounds()
    {
    }

    /// <summary>Variation of a fixed piece of arithmetic between the rounds: the slowest over the median; 1 on an idle machine.</summary>
    public double Noise => Math.Round(_spins.Max() / Median(_spins), 2);

    public static async Task<Rounds> Measure(string bench, int rounds, params (string Name, Func<Task<double>> Measure)[] sides)
    {
        var all = new Rounds();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (name, measure) in round % 2 == 0 ? sides : sides.Reverse())
            {
                all._spins.Add(TimeArithmetic());
                all.Add(name, await measure());
            }

            var values = sides.Select(side => $"{side.Name} {all._values[side.Name][^1]:G4}");
            Stack.Log($"{bench} round {round + 1} of {rounds}: {string.Join(", ", values)}");
        }

        return all;
    }

    /// <summary>Adds a second figure of a side from the same measurement, such as its CPU time beside its wall time.</summary>
    public void Add(string name, double value)
    {
        if (!_values.TryGetValue(name, out var values))
        {
            _values[name] = values = [];
        }

        values.Add(value);
    }

    public double Median(string name) => Median(_values[name]);

    /// <summary>The median of the rounds' ratios.</summary>
    public double Ratio(string of, string to) => Median(Ratios(of, to));

    /// <summary>The smallest and the largest ratio of a round.</summary>
    public string Spread(string of, string to) => Spread(Ratios(of, to).ToList());

    /// <summary>The smallest and the largest value of a side that is a ratio itself.</summary>
    public string Spread(string of) => Spread(_values[of]);

    private static string Spread(IReadOnlyCollection<double> ratios) =>
        string.Create(CultureInfo.InvariantCulture, $"{ratios.Min():G3}..{ratios.Max():G3}");

    private IEnumerable<double> Ratios(string of, string to) => _values[of].Zip(_values[to], (value, reference) => value / reference);

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static double TimeArithmetic()
    {
        var begun = Stopwatch.GetTimestamp();
        var sum = 0ul;
        for (var i = 0ul; i < 40_000_000; i++)
        {
            sum = (sum * 6364136223846793005) + i;
        }

        GC.KeepAlive(sum);
        return Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
    }
}
