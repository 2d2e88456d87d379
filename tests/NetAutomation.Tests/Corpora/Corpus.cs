using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace NetAutomation.Tests.Corpora;

/// <summary>What a hostile input did that it must not do.</summary>
internal enum Harm
{
    /// <summary>A program ended, threw what nobody expects, or worked without an end.</summary>
    Crash,

    /// <summary>An answer blames the service for what the caller sent.</summary>
    ServerError,

    /// <summary>Text of the input ran as code.</summary>
    Execution,

    /// <summary>A connection to an address that no range opens.</summary>
    Connection,

    /// <summary>A caller passed for somebody whom no trusted header named.</summary>
    Identity,

    /// <summary>A secret or a control character in what is shown.</summary>
    Leak,

    /// <summary>Memory that is not given back.</summary>
    Memory,

    /// <summary>The planted input was not caught: the judge is blind.</summary>
    Control,
}

/// <summary>
/// One corpus of hostile inputs: how many, from which seed, and what they did. <c>tests/hostile/run</c> plays whole corpora, the tests a
/// part of each; <c>NETAUTOMATION_HOSTILE_SEED</c>, <c>_SCALE</c> (1 is the whole corpus) and <c>_REPORT</c> (a folder) are its settings.
/// </summary>
internal sealed class Corpus(string name)
{
    private const int Shown = 40;
    private static readonly double? _scale =
        Setting("SCALE") is { } scale ? double.Parse(scale, CultureInfo.InvariantCulture) : null;

    private readonly Dictionary<Harm, List<string>> _harms = Enum.GetValues<Harm>().ToDictionary(harm => harm, _ => new List<string>());
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly long _begun = Stopwatch.GetTimestamp();

    public static int Seed { get; } = int.Parse(Setting("SEED") ?? "20261129", CultureInfo.InvariantCulture);

    /// <summary>The corpus is played alone in this process, so that its memory can be judged.</summary>
    public static bool Alone => _scale is not null;

    /// <summary>How many inputs are played: of the whole corpus, or the part among the other tests.</summary>
    public static int Of(int whole, int part) => _scale is { } scale ? Math.Max(part, (int)(whole * scale)) : part;

    /// <summary>The dice of one input: it is the same again whatever runs beside it.</summary>
    public static Random Dice(int input) => new(unchecked((Seed * 1_000_003) + input));

    public void Found(Harm harm, string what)
    {
        lock (_harms)
        {
            _harms[harm].Add(what);
        }
    }

    public bool Has(Harm harm)
    {
        lock (_harms)
        {
            return _harms[harm].Count > 0;
        }
    }

    public void Count(string what, long more = 1)
    {
        lock (_harms)
        {
            _counts[what] = _counts.GetValueOrDefault(what) + more;
        }
    }

    public long Counted(string what)
    {
        lock (_harms)
        {
            return _counts.GetValueOrDefault(what);
        }
    }

    /// <summary>A judge that does not catch what was planted cannot have found anything else either.</summary>
    public void Planted(bool caught, string what)
    {
        Count("planted");
        if (!caught)
        {
            Found(Harm.Control, $"not caught: {what}");
        }
    }

    /// <summary>Says how far it is, where somebody waits for a whole corpus.</summary>
    public void Progress(int done, int all)
    {
        if (Alone)
        {
            Console.Error.WriteLine($"{name}: {done} of {all}, {Stopwatch.GetElapsedTime(_begun).TotalSeconds:0} s");
        }
    }

    /// <summary>Judges the growth of this process between two moments, each after all that can be given back was given back.</summary>
    /// <param name="before">From <see cref="MemoryNow"/>.</param>
    public void JudgeMemory((long Heap, long Resident) before)
    {
        const long heap = 24 << 20, resident = 96 << 20;
        if (!Alone)
        {
            return;
        }

        var now = MemoryNow();
        Count("heapGrowthKiB", (now.Heap - before.Heap) >> 10);
        Count("residentGrowthKiB", (now.Resident - before.Resident) >> 10);
        if (now.Heap - before.Heap > heap || now.Resident - before.Resident > resident)
        {
            Found(Harm.Memory, $"from {before} to {now} bytes");
        }
    }

    /// <summary>Bytes of the managed heap and of the process in memory.</summary>
    [SuppressMessage("Critical Code Smell", "S1215", Justification = "What is judged is what cannot be collected.")]
    public static (long Heap, long Resident) MemoryNow()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return (GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
    }

    /// <summary>Writes the report and fails where anything was found.</summary>
    public void Judge(int inputs)
    {
        if (Setting("REPORT") is { } folder)
        {
            var report = new SortedDictionary<string, object>(_counts.ToDictionary(count => count.Key, count => (object)count.Value))
            {
                ["inputs"] = inputs, ["seconds"] = (int)Stopwatch.GetElapsedTime(_begun).TotalSeconds,
            };
            foreach (var (harm, found) in _harms)
            {
                report[$"!{JsonNamingPolicy.CamelCase.ConvertName($"{harm}")}"] = found.Count;
            }

            File.WriteAllText(Path.Combine(folder, $"{name}.json"), JsonSerializer.Serialize(report));
        }

        var counts = string.Join(", ", _counts.Select(count => $"{count.Key} {count.Value}"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}, seed {Seed}: {inputs} inputs, {counts}");
        _harms.SelectMany(harm => harm.Value.Select(what => $"{harm.Key}: {what}")).Take(Shown)
            .ShouldBeEmpty($"{name}, seed {Seed}: {counts}");
    }

    private static string? Setting(string setting) =>
        Environment.GetEnvironmentVariable($"NETAUTOMATION_HOSTILE_{setting}") is { Length: > 0 } given ? given : null;
}
