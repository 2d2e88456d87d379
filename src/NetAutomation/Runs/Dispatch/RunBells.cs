using Npgsql;

namespace NetAutomation.Runs.Dispatch;

/// <summary>
/// Carries doorbells between processes by LISTEN and NOTIFY, after the commit and never inside it: a NOTIFY takes one lock for the whole
/// server until its transaction ends. At most twenty a second from each process; what is lost is found by the next poll.
/// </summary>
internal sealed partial class RunBells(
    [FromKeyedServices("app")] NpgsqlDataSource source, RunSignals signals, TimeProvider clock, ILogger<RunBells> log) : BackgroundService
{
    private const string Channel = "na_runs";

    // A notification holds 8,000 bytes.
    private const int MostRuns = 200;
    private static readonly TimeSpan _apart = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _again = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _check = TimeSpan.FromSeconds(10);
    private readonly string _self = $"{Guid.NewGuid():n}";

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Repeat(Listen, stoppingToken), Repeat(Speak, stoppingToken));

    private async Task Repeat(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await work(cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Broken(log, fault);
                await Task.Delay(_again, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task Listen(CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        connection.Notification += (_, note) => Hear(note.Payload);
        await using var listen = new NpgsqlCommand($"listen {Channel}", connection);
        try
        {
            while (!cancel.IsCancellationRequested)
            {
                // Repeated, since a dead connection is only noticed by using it.
                await listen.ExecuteNonQueryAsync(cancel);
                if (!signals.Heard)
                {
                    signals.Heard = true;
                    signals.RingAll();
                }

                var listened = clock.GetTimestamp();
                var heard = true;
                while (heard && clock.GetElapsedTime(listened) < _check)
                {
                    heard = await connection.WaitAsync(_check, cancel);
                }
            }
        }
        finally
        {
            signals.Heard = false;
        }
    }

    private async Task Speak(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            var tell = signals.Tell;
            var (work, news) = signals.Take();
            if (!work && news.Count == 0)
            {
                await tell.WaitAsync(cancel);
                continue;
            }

            await using var command = source.CreateCommand("select pg_notify($1, p) from unnest($2) p");
            command.Parameters.Add(new() { Value = Channel });
            command.Parameters.Add(new() { Value = Notes(work, news).ToArray() });
            await command.ExecuteNonQueryAsync(cancel);
            await Task.Delay(_apart, clock, cancel);
        }
    }

    private IEnumerable<string> Notes(bool work, IReadOnlyList<RunId> news)
    {
        var first = work ? "work" : "";
        foreach (var some in news.Chunk(MostRuns).DefaultIfEmpty([]))
        {
            yield return $"{_self} {first} {string.Join(' ', some)}";
            first = "";
        }
    }

    private void Hear(string note)
    {
        if (note.Split(' ') is [var who, var work, .. var runs] && who != _self)
        {
            signals.Hear(work.Length > 0, runs.Where(run => run.Length > 0).Select(RunId.Parse));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(703, LogLevel.Warning, "Doorbells between processes are out of order; polling instead")]
        public static partial void Broken(ILogger logger, Exception exception);
    }
}
