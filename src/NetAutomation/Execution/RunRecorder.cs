using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>Writes a run's events and outcomes in the background, in order and once each; while the database is away they wait.</summary>
/// <param name="stop">Called when nothing more can be written: the run must not go on unrecorded.</param>
internal sealed partial class RunRecorder(
    ClaimedRun run, string spoolPath, Journals journals, IReadOnlyDictionary<DeviceId, string> platforms, RunMetrics metrics,
    TimeProvider clock, Action stop, ILogger log) : IDisposable
{
    private readonly EventSpool _spool = new(spoolPath);
    private readonly HashSet<DeviceId> _reported = [];
    private readonly Dictionary<DeviceId, DateTimeOffset> _begun = [];
    private Task<bool> _writing = Task.FromResult(false);

    public void Start() => _writing = Task.Run(WriteAll);

    public Task Add(RunEvent runEvent)
    {
        if (runEvent is { Type: "device_started", Device: { } device })
        {
            _begun.TryAdd(device, runEvent.Time);
        }

        return _spool.Add(runEvent);
    }

    /// <summary>A device's final outcome; the first one stands.</summary>
    public Task Report(DeviceReport report)
    {
        if (!_reported.Add(report.Device))
        {
            return Task.CompletedTask;
        }

        var now = clock.GetUtcNow();
        if (_begun.TryGetValue(report.Device, out var begun))
        {
            metrics.Ended(run.Block, platforms[report.Device], report.Outcome, now - begun);
        }

        return _spool.Add(RunEvent.Of(now, report));
    }

    /// <summary>
    /// True once everything is written; false where something could not be: the fence has moved on, or the database refused it.
    /// </summary>
    public Task<bool> Flush()
    {
        _spool.Complete();
        return _writing;
    }

    public void Dispose() => _spool.Dispose();

    private async Task<bool> WriteAll()
    {
        var (written, good) = (0L, true);
        while (await _spool.Next() is { Count: > 0 } batch)
        {
            good = good && await WriteOne(written, batch);
            written += batch.Count;
        }

        return good;
    }

    private async Task<bool> WriteOne(long before, IReadOnlyList<RunEvent> batch)
    {
        try
        {
            if (await journals.RetryUntilAvailable(journal => journal.Write(run, before, batch, CancellationToken.None)))
            {
                metrics.Written(clock.GetUtcNow() - batch[0].Time);
                return true;
            }
        }
        catch (Exception fault)
        {
            Log.WriteFailed(log, fault, run.Id);
        }

        stop();
        return false;
    }

    private static partial class Log
    {
        [LoggerMessage(807, LogLevel.Error, "Run {Run}: its events cannot be written, stopping it")]
        public static partial void WriteFailed(ILogger logger, Exception exception, RunId run);
    }
}
