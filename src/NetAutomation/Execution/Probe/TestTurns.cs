using System.Collections.Concurrent;

namespace NetAutomation.Execution.Probe;

/// <summary>
/// Tests of single devices each have a sandbox in the process that was asked. A tenant has a few of them at a time; further ones wait.
/// </summary>
internal sealed class TestTurns
{
    /// <summary>Of one tenant in one process.</summary>
    public const int AtATime = 8;
    private readonly ConcurrentDictionary<TenantId, SemaphoreSlim> _turns = new();

    /// <summary>Waits for a turn. Dispose it when the test is over.</summary>
    public async Task<IDisposable> Enter(TenantId tenant, CancellationToken cancel)
    {
        var turns = _turns.GetOrAdd(tenant, _ => new SemaphoreSlim(AtATime));
        await turns.WaitAsync(cancel);
        return new Turn(turns);
    }

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }
}
