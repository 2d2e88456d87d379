namespace NetAutomation.Web.Loops;

/// <summary>How a loop has fared in this process.</summary>
/// <param name="Runs">All of them, those that failed too.</param>
/// <param name="Took">How long the last run took, whether or not it failed.</param>
internal sealed record LoopStatus(long Runs, long Failures, DateTimeOffset? LastSuccess, TimeSpan Took);

/// <summary>A duty that is repeated. A fault is logged here and stops neither this loop nor another one.</summary>
internal sealed partial class Loop(string name, TimeSpan interval, Func<CancellationToken, Task> work, TimeProvider clock, ILogger log)
{
    // The longest pause after failures of a loop without an interval, which waits in its work.
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);
    private LoopStatus _status = new(0, 0, null, TimeSpan.Zero);

    /// <summary>Module and duty, as in <c>runs.rescue</c>.</summary>
    public string Name => name;

    /// <summary>Between two runs.</summary>
    public TimeSpan Interval => interval;

    /// <summary>Waits until this process may run it; null where every process runs it.</summary>
    public Func<CancellationToken, Task>? Turn { get; init; }

    /// <summary>Waits for the next run after one that succeeded; otherwise the interval.</summary>
    public Func<CancellationToken, Task>? Wait { get; init; }

    /// <summary>The pause after a first failure. It doubles with each further one, up to <see cref="LongestPause"/>.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan LongestPause { get; init; } = interval > TimeSpan.Zero ? interval : _longest;

    public LoopStatus Status => Volatile.Read(ref _status);

    /// <summary>False where it failed.</summary>
    public async Task<bool> RunOnce(CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        try
        {
            await work(cancel);
            Keep(begun, succeeded: true);
            return true;
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            Keep(begun, succeeded: false);
            Log.Failed(log, name, fault);
            return false;
        }
    }

    /// <summary>Repeats until it is cancelled; the first run is at once.</summary>
    public async Task Run(CancellationToken cancel)
    {
        try
        {
            var failures = 0;
            while (!cancel.IsCancellationRequested)
            {
                await (Turn?.Invoke(cancel) ?? Task.CompletedTask);
                failures = await RunOnce(cancel) ? 0 : failures + 1;
                await (failures > 0
                    ? Task.Delay(Pause(failures), clock, cancel) : Wait?.Invoke(cancel) ?? Task.Delay(interval, clock, cancel));
            }
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            // Stopping: what fails now, fails because of it.
        }
    }

    // Processes that fail together do not come back together.
    private TimeSpan Pause(int failures)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(failures - 1, 20));
        return (pause < LongestPause ? pause : LongestPause) * (0.8 + (0.4 * Random.Shared.NextDouble()));
    }

    private void Keep(long begun, bool succeeded)
    {
        var before = Status;
        Volatile.Write(ref _status, new LoopStatus(
            before.Runs + 1, before.Failures + (succeeded ? 0 : 1), succeeded ? clock.GetUtcNow() : before.LastSuccess,
            clock.GetElapsedTime(begun)));
    }

    private static partial class Log
    {
        [LoggerMessage(103, LogLevel.Error, "Loop {Loop} failed; it goes on")]
        public static partial void Failed(ILogger logger, string loop, Exception exception);
    }
}
