using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Runs.Dispatch;

/// <summary>Carries the doorbells of runs between processes.</summary>
internal sealed class RunBells(
    [FromKeyedServices("app")] NpgsqlDataSource source, RunSignals signals, TimeProvider clock, ILogger<RunBells> log)
    : NotificationChannel("na_runs", source, clock, log)
{
    // A notification holds 8,000 bytes.
    private const int MostRuns = 200;
    private readonly string _self = $"{Guid.NewGuid():n}";

    protected override void Receive(string payload)
    {
        if (payload.Split(' ') is [var process, var work, .. var runs] && process != _self)
        {
            signals.Receive(work.Length > 0, runs.Where(run => run.Length > 0).Select(RunId.Parse));
        }
    }

    protected override async Task<string[]> Next(CancellationToken cancel)
    {
        while (true)
        {
            var pending = signals.Pending;
            var (work, news) = signals.TakePending();
            if (work || news.Count > 0)
            {
                return [.. news.Chunk(MostRuns).DefaultIfEmpty([])
                    .Select((runs, index) => $"{_self} {(work && index == 0 ? "work" : "")} {string.Join(' ', runs)}")];
            }

            await pending.WaitAsync(cancel);
        }
    }

    protected override void Listening(bool now)
    {
        var missed = now && !signals.Listening;
        signals.Listening = now;
        if (missed)
        {
            signals.RingAll();
        }
    }
}
