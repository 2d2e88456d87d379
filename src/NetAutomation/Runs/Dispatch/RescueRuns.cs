using NetAutomation.Persistence;

namespace NetAutomation.Runs.Dispatch;

/// <summary>Takes runs from workers whose lease has ended.</summary>
internal sealed partial class RescueRuns(IServiceScopeFactory scopes, RunSignals signals, TimeProvider clock, ILogger<RescueRuns> log)
{
    // A lease lasts 30 s, so a run is taken from its worker 35 s after the last renewal.
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _databaseUptime = TimeSpan.FromSeconds(60);

    // After a failover the database may have been up for long, and still nobody could renew.
    private long? _failed;

    public async Task Run(CancellationToken cancel)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            if (_failed is { } failed && clock.GetElapsedTime(failed) <= _databaseUptime)
            {
                // Is the database still there? While it is not, the time starts anew.
                await scope.ServiceProvider.GetRequiredService<SystemDb>().Execute($"select 1", cancel);
                return;
            }

            foreach (var (run, state) in await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(_grace, _databaseUptime, cancel))
            {
                signals.RingNews(run);
                signals.RingWork();
                Log.Rescued(log, run, state);
            }
        }
        catch (Exception) when (!cancel.IsCancellationRequested)
        {
            _failed = clock.GetTimestamp();
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(702, LogLevel.Warning, "Run {Run} lost its worker and is now {State}")]
        public static partial void Rescued(ILogger logger, RunId run, RunState state);
    }
}
