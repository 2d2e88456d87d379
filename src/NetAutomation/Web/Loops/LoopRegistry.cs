using System.Collections.Frozen;

namespace NetAutomation.Web.Loops;

/// <summary>The loops of this process; their names are unique.</summary>
internal sealed class LoopRegistry(IEnumerable<Loop> all)
{
    // The dictionary refuses a name that comes twice.
    public IReadOnlyCollection<Loop> All { get; } = all.ToFrozenDictionary(loop => loop.Name, StringComparer.Ordinal).Values;
}

/// <summary>Runs the loops, each beside the others.</summary>
internal sealed class LoopHost(LoopRegistry loops) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(loops.All.Select(loop => Task.Run(() => loop.Run(stoppingToken), CancellationToken.None)));
}
