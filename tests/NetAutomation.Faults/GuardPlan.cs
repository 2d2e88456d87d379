using System.Diagnostics.CodeAnalysis;

namespace NetAutomation.Faults;

/// <summary>What is cut while a guarded change is under way.</summary>
internal enum Cut
{
    None,
    KillWorker,
    KillApi,
    KillConnector,
    CutLink,
    KillDatabase,

    /// <summary>The device ends the session.</summary>
    Drop,

    /// <summary>The change itself takes the way in: no new login is possible, or nothing passes at all.</summary>
    CutOff,
}

/// <summary>The state of a device when it is cut, as its journal has it.</summary>
internal enum Stage
{
    Before,
    Armed,

    /// <summary>Between the first line and the last one.</summary>
    Lines,

    /// <summary>Between the change and its confirmation.</summary>
    Applied,

    /// <summary>The device has the confirmation, and has not answered.</summary>
    Confirm,
    After,
}

/// <summary>One guarded change of one device, with one cut or none.</summary>
/// <param name="Stage">When it is to be cut.</param>
/// <param name="Late">The device has done the line at which it is cut.</param>
/// <param name="Share">A number from 0 to 1, from the seed: how long the cut lasts.</param>
internal sealed record GuardRound(int Number, string Device, Cut Cut, Stage Stage, bool Late, double Share);

/// <summary>Rounds that a stack plays at once, by runs: all devices of a run are cut at the same moment.</summary>
/// <param name="Share">A number from 0 to 1, from the seed: which victim.</param>
internal sealed record GuardBatch(IReadOnlyList<IReadOnlyList<GuardRound>> Runs, double Share);

/// <summary>
/// The seed's decisions for all rounds. How many rounds a kind of device and a moment have follows from their number alone, so that the
/// quotas hold for every seed.
/// </summary>
internal static class GuardPlan
{
    /// <summary>Devices of a stack by their kind.</summary>
    public static readonly Dictionary<string, string[]> Devices = new(StringComparer.Ordinal)
    {
        ["frr"] = ["r001", "r002"], ["machine"] = ["b001", "l001"], ["eos"] = ["eos-d01", "eos-d02", "eosnew-d01"],
        ["ios"] = ["ios-d01", "ios-d02", "ios-d03", "ios-d04"],
    };

    /// <summary>As many of so many rounds at least are required.</summary>
    public const int QuotaRounds = 300;

    // Of 300 rounds. A machine takes its text by one command, and EOS arms with the end of its lines; FRR has nothing to confirm.
    private static readonly (string Kind, Stage? Stage, int Weight)[] _cells =
    [
        ("frr", Stage.Lines, 20), ("frr", Stage.Armed, 8), ("frr", Stage.Applied, 10), ("frr", Stage.Before, 2), ("frr", Stage.After, 4),
        ("frr", null, 4),
        ("machine", Stage.Armed, 20), ("machine", Stage.Applied, 22), ("machine", Stage.Confirm, 10), ("machine", Stage.Before, 4),
        ("eos", Stage.Lines, 46), ("eos", Stage.Applied, 26), ("eos", Stage.Confirm, 8), ("eos", Stage.Before, 2), ("eos", Stage.After, 2),
        ("ios", Stage.Armed, 36), ("ios", Stage.Lines, 46), ("ios", Stage.Applied, 10), ("ios", Stage.Confirm, 8), ("ios", Stage.Before, 2),
        ("ios", Stage.After, 4), ("ios", null, 6),
    ];

    // What is cut for all rounds of a batch. After a killed database nothing is taken from a worker for a minute, so that comes last.
    private static readonly (Cut Cut, int Weight)[] _shared =
        [(Cut.Drop, 18), (Cut.KillWorker, 16), (Cut.KillApi, 14), (Cut.KillConnector, 12), (Cut.CutLink, 12), (Cut.KillDatabase, 28)];

    // Of few rounds each has a cut of its own. The runs of a killed api take another 90 s to end, so that is left to the many.
    private static readonly Cut[][] _mixed = [[Cut.KillWorker, Cut.CutLink, Cut.Drop], [Cut.KillDatabase, Cut.KillConnector, Cut.CutOff]];

    /// <summary>Up to so many rounds are played as a sample.</summary>
    public const int FewRounds = 12;

    /// <summary>The batches of each stack, in their order.</summary>
    public static IReadOnlyList<IReadOnlyList<GuardBatch>> Of(int seed, int rounds, int stacks)
    {
        var random = Seeded(seed);
        var cells = Shares(_cells.Select(cell => cell.Weight), rounds)
            .SelectMany((count, i) => Enumerable.Repeat((_cells[i].Kind, _cells[i].Stage), count)).ToArray();
        random.Shuffle(cells);
        return rounds <= FewRounds ? Few(random, cells, stacks) : Many(random, cells, stacks);
    }

    private static List<List<GuardBatch>> Few(Random random, (string Kind, Stage? Stage)[] cells, int stacks)
    {
        var (number, all) = (0, Enumerable.Range(0, stacks).Select(_ => new List<GuardBatch>()).ToList());
        foreach (var (i, some) in cells.Chunk(_mixed[0].Length).Index())
        {
            var free = Devices.ToDictionary(kind => kind.Key, kind => new Queue<string>(kind.Value));
            var batch = some.Zip(_mixed[i % _mixed.Length], (cell, cut) =>
            {
                var (kind, stage) = cut == Cut.CutOff ? ("frr", Stage.Applied) : cell;
                return Round(random, ++number, free[kind].Dequeue(), stage is null ? Cut.None : cut, stage);
            });
            all[i % stacks].Add(new([.. batch.Select(round => (IReadOnlyList<GuardRound>)[round])], random.NextDouble()));
        }

        return all;
    }

    private static List<List<GuardBatch>> Many(Random random, (string Kind, Stage? Stage)[] cells, int stacks)
    {
        var (number, all) = (0, new List<List<GuardBatch>>());
        var dealt = cells.GroupBy(cell => cell.Kind).ToDictionary(
            kind => kind.Key, kind => kind.Select((cell, i) => (cell.Stage, Slot: i % (Devices[kind.Key].Length * stacks))).ToList());
        var longest = dealt.Max(kind => Math.Ceiling(kind.Value.Count / (double)(Devices[kind.Key].Length * stacks)));
        var shared = Shares(_shared.Select(kind => kind.Weight), (int)longest * stacks)
            .SelectMany((count, i) => Enumerable.Repeat(_shared[i].Cut, count)).ToArray();
        for (var stack = 0; stack < stacks; stack++)
        {
            var queues = Devices.SelectMany(kind => kind.Value.Select((device, i) => (
                Device: device, Cells: dealt.GetValueOrDefault(kind.Key, [])
                    .Where(cell => cell.Slot == (stack * kind.Value.Length) + i).Select(cell => cell.Stage).ToList())))
                .ToDictionary(each => each.Device, each => each.Cells);
            var kinds = shared.Where((_, i) => i % stacks == stack).ToArray();
            random.Shuffle(kinds);
            kinds = [.. kinds.OrderBy(kind => kind == Cut.KillDatabase)];
            var batches = new List<GuardBatch>();
            while (queues.Values.Any(left => left.Count > 0))
            {
                var cut = batches.Count < kinds.Length ? kinds[batches.Count] : Cut.Drop;
                var batch = new List<GuardRound>();
                foreach (var (device, left) in queues)
                {
                    // What is not cut is played where no process dies.
                    var at = left.FindIndex(stage => stage is null == (cut == Cut.Drop));
                    at = at < 0 && cut == Cut.Drop ? left.Count - 1 : at;
                    if (at >= 0)
                    {
                        batch.Add(Round(random, ++number, device, left[at] is null ? Cut.None : Own(cut, device, left[at]), left[at]));
                        left.RemoveAt(at);
                    }
                }

                batches.Add(new GuardBatch(Runs(random, batch), random.NextDouble()));
            }

            all.Add(batches);
        }

        return all;
    }

    private static Cut Own(Cut cut, string device, Stage? stage) =>
        cut == Cut.Drop && stage == Stage.Applied && device != "b001" ? Cut.CutOff : cut;

    /// <summary>Runs of one to three devices with the same moment; what cuts a real device off is a block of its own.</summary>
    private static List<IReadOnlyList<GuardRound>> Runs(Random random, List<GuardRound> batch)
    {
        var runs = new List<IReadOnlyList<GuardRound>>();
        foreach (var same in batch.GroupBy(round => (round.Stage, round.Cut == Cut.CutOff ? round.Number : 0)))
        {
            var left = same.ToList();
            while (left.Count > 0)
            {
                var some = left.Take(random.Next(1, 4)).ToList();
                runs.Add(some);
                left.RemoveRange(0, some.Count);
            }
        }

        return runs;
    }

    private static GuardRound Round(Random random, int number, string device, Cut cut, Stage? stage) =>
        new(number, device, cut, stage ?? Stage.After, random.Next(2) == 0, random.NextDouble());

    /// <summary>A number divided by weights, the largest remainders rounded up.</summary>
    private static int[] Shares(IEnumerable<int> weights, int number)
    {
        var exact = weights.ToArray();
        var shares = Array.ConvertAll(exact, weight => (double)weight * number / exact.Sum());
        var whole = Array.ConvertAll(shares, share => (int)share);
        foreach (var i in Enumerable.Range(0, whole.Length).OrderByDescending(i => shares[i] - whole[i]).Take(number - whole.Sum()))
        {
            whole[i]++;
        }

        return whole;
    }

    [SuppressMessage("Security", "S2245", Justification = "A seed has to give the same again.")]
    private static Random Seeded(int seed) => new(seed);
}
