using System.Collections.Frozen;

namespace NetAutomation.Web.Loops;

/// <summary>The loops of this process by their names, which are unique.</summary>
internal sealed class LoopRegistry(IEnumerable<Loop> all)
{
    // Refuses a name that comes twice.
    private readonly FrozenDictionary<string, Loop> _byName = all.ToFrozenDictionary(loop => loop.Name, StringComparer.Ordinal);

    public IReadOnlyCollection<Loop> All => _byName.Values;

    public Loop this[string name] => _byName[name];
}

/// <summary>Runs the loops, each beside the others.</summary>
internal sealed class LoopHost(LoopRegistry loops) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(loops.All.Select(loop => Task.Run(() => loop.Run(stoppingToken), CancellationToken.None)));
}
