using Microsoft.Extensions.Options;
using NetAutomation.Tunnel;

namespace NetAutomation.Connections.Reconciling;

/// <summary>Runs rounds: often while a connection is pending, rarely otherwise.</summary>
internal sealed class ReconcileLoop(
    IServiceScopeFactory scopes, ReconcileSignal signal, IOptions<ConnectionsOptions> options, ConnectionMetrics metrics,
    TimeProvider clock)
{
    private static readonly TimeSpan _longestRound = TimeSpan.FromMinutes(5);
    private TimeSpan _pause;

    public async Task Run(CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        using var deadline = cancel.Within(_longestRound);
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            _pause = await scope.ServiceProvider.GetRequiredService<Reconcile>().Run(deadline.Token);
            metrics.Round(succeeded: true, clock.GetElapsedTime(begun));
        }
        catch (Exception) when (!cancel.IsCancellationRequested)
        {
            metrics.Round(succeeded: false, clock.GetElapsedTime(begun));
            throw;
        }
    }

    /// <summary>Waits for the pause that the last round wanted, or for a signal.</summary>
    public Task Wait(CancellationToken cancel) =>
        // Processes that start together must not call EC2 together: the whole organization shares its limits.
        signal.Wait(_pause * (0.8 + (0.4 * Random.Shared.NextDouble())), options.Value.PendingInterval / 2, cancel);
}
