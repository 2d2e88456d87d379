using System.Collections.Frozen;

namespace NetAutomation.Web.Loops;

/// <summary>The loops of this process by their names, which are unique.</summary>
internal sealed class LoopRegistry(IEnumerable<Loop> all)
{
    private readonly FrozenDictionary<string, Loop> _byName = Unique(all);

    public IReadOnlyCollection<Loop> All => _byName.Values;

    public Loop this[string name] => _byName[name];

    private static FrozenDictionary<string, Loop> Unique(IEnumerable<Loop> all)
    {
        var loops = new Dictionary<string, Loop>(StringComparer.Ordinal);
        foreach (var loop in all)
        {
            if (!loops.TryAdd(loop.Name, loop))
            {
                throw new InvalidOperationException($"Two loops are named {loop.Name}.");
            }
        }

        return loops.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

/// <summary>Runs the loops that every process has for itself, each beside the others.</summary>
internal sealed class LoopHost(LoopRegistry loops) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(
            loops.All.Where(loop => !loop.OneProcess).Select(loop => Task.Run(() => loop.Run(stoppingToken), CancellationToken.None)));
}
