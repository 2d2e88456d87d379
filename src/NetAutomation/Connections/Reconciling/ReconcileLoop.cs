using Microsoft.Extensions.Options;
using Npgsql;

namespace NetAutomation.Connections.Reconciling;

/// <summary>Runs rounds in one process at a time: often while a connection is pending, rarely otherwise.</summary>
internal sealed partial class ReconcileLoop(
    IServiceScopeFactory scopes,
    [FromKeyedServices("system")] NpgsqlDataSource database,
    ReconcileSignal signal,
    IOptions<ConnectionsOptions> options,
    ConnectionMetrics metrics,
    TimeProvider clock,
    ILogger<ReconcileLoop> log)
{
    private static readonly TimeSpan _longestRound = TimeSpan.FromMinutes(5);

    // The server takes the lock from a process that hangs for longer than a round may take.
    private static readonly TimeSpan _longestHold = _longestRound + TimeSpan.FromMinutes(1);
    private TimeSpan _pause;
    private long? _waitingSince;
    private bool _warned;

    public async Task Run(CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        try
        {
            _pause = await Round(begun, cancel);
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

    private async Task<TimeSpan> Round(long begun, CancellationToken stopping)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        deadline.CancelAfter(_longestRound);
        await using var alone = await database.OpenConnectionAsync(deadline.Token);
        await using var @lock = new NpgsqlCommand("select pg_try_advisory_lock(7205759404)", alone);
        if (await @lock.ExecuteScalarAsync(deadline.Token) is not true)
        {
            Waited(clock.GetElapsedTime(_waitingSince ??= begun, begun));
            return options.Value.PendingInterval;
        }

        (_waitingSince, _warned) = (null, false);
        metrics.Locked(TimeSpan.Zero);
        try
        {
            await using var limit = new NpgsqlCommand($"set idle_session_timeout = '{(int)_longestHold.TotalMilliseconds}ms'", alone);
            await limit.ExecuteNonQueryAsync(deadline.Token);
            await using var scope = scopes.CreateAsyncScope();
            var pause = await scope.ServiceProvider.GetRequiredService<Reconcile>().Run(deadline.Token);
            metrics.Round(succeeded: true, clock.GetElapsedTime(begun));
            return pause;
        }
        finally
        {
            await using var unlock = new NpgsqlCommand("reset idle_session_timeout; select pg_advisory_unlock(7205759404)", alone);
            await unlock.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    private void Waited(TimeSpan waited)
    {
        metrics.Locked(waited);
        if (waited > _longestHold && !_warned)
        {
            _warned = true;
            Log.Locked(log, waited);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(910, LogLevel.Warning, "Another process holds the lock of the reconcile loop, for {Waited} by now")]
        public static partial void Locked(ILogger logger, TimeSpan waited);
    }
}
