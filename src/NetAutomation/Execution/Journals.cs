using NetAutomation.Persistence;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>The journal, in a scope of its own for each use: a run outlives the connections it writes over.</summary>
internal sealed class Journals(IServiceScopeFactory scopes, TimeProvider clock)
{
    public async Task<T> Once<TService, T>(Func<TService, Task<T>> use)
        where TService : notnull
    {
        await using var scope = scopes.CreateAsyncScope();
        return await use(scope.ServiceProvider.GetRequiredService<TService>());
    }

    /// <summary>Waits for a database that is away; what is done must be harmless to repeat.</summary>
    public Task<T> Outlast<TService, T>(Func<TService, Task<T>> use)
        where TService : notnull => DatabaseAway.Outlast(() => Once(use), clock, CancellationToken.None);

    public Task<bool> Outlast(Func<RunJournal, Task<bool>> use) => Outlast<RunJournal, bool>(use);

    /// <summary>
    /// The next run for a worker, or null. A claim is never repeated, reading what was claimed is: else a dead connection costs a lease.
    /// </summary>
    public async Task<ClaimedRun?> Claim(string worker) =>
        await Once<RunQueue, RunClaim?>(queue => queue.Claim(worker, CancellationToken.None)) is { } claim
            ? await Outlast<RunQueue, ClaimedRun>(queue => queue.Read(claim, CancellationToken.None))
            : null;
}
