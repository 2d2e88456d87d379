using NetAutomation.Persistence;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>Services that use the database, in a scope of its own for each use: a run outlives the connections it writes over.</summary>
internal sealed class Journals(IServiceScopeFactory scopes, TimeProvider clock)
{
    public async Task<T> Use<TService, T>(Func<TService, Task<T>> work)
        where TService : notnull
    {
        await using var scope = scopes.CreateAsyncScope();
        return await work(scope.ServiceProvider.GetRequiredService<TService>());
    }

    /// <summary>Waits while the database is not available; the work must be harmless to repeat.</summary>
    public Task<T> RetryUntilAvailable<TService, T>(Func<TService, Task<T>> work)
        where TService : notnull => Outage.Retry(() => Use(work), clock, CancellationToken.None);

    public Task<bool> RetryUntilAvailable(Func<RunJournal, Task<bool>> work) => RetryUntilAvailable<RunJournal, bool>(work);

    /// <summary>
    /// The next run for a worker, or null. A claim is never repeated. Reading the claimed run is, or a dead connection would cost a lease.
    /// </summary>
    public async Task<ClaimedRun?> Claim(string worker, bool last = false) =>
        await Use<RunQueue, RunClaim?>(queue => queue.Claim(worker, CancellationToken.None, last)) is { } claim
            ? await RetryUntilAvailable<RunQueue, ClaimedRun>(queue => queue.Read(claim, CancellationToken.None))
            : null;
}
