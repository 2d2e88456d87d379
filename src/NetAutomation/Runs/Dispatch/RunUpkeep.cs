using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Runs.Windows;

namespace NetAutomation.Runs.Dispatch;

/// <summary>Rescues runs from lost workers, ends queued ones whose startBy has passed, and makes event partitions ahead of time.</summary>
internal sealed partial class RunUpkeep(IServiceScopeFactory scopes, RunSignals signals, IOptions<RunsOptions> options, TimeProvider clock, ILogger<RunUpkeep> log) : BackgroundService
{
    private static readonly string[] _queued = ["queued"];
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    // A lease lasts 30 s, so a run is taken from its worker 35 s after the last renewal.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DatabaseUptime = TimeSpan.FromSeconds(60);

    // After a failover the database may have been up for long, and still nobody could renew.
    private long? _away;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            try
            {
                await Sweep(stoppingToken);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                _away = clock.GetTimestamp();
                Log.Failed(log, fault);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task Sweep(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var services = scope.ServiceProvider;
        await services.GetRequiredService<SystemDb>().Execute($"select runs.make_partitions(7)", cancel);
        var queue = services.GetRequiredService<RunQueue>();
        if (await queue.DropEvents(options.Value.EventDays, cancel) is { } day)
        {
            Log.Dropped(log, day);
        }

        if (_away is not { } away || clock.GetElapsedTime(away) > DatabaseUptime)
        {
            foreach (var (run, state) in await queue.Rescue(Grace, DatabaseUptime, cancel))
            {
                signals.RingNews(run);
                signals.RingWork();
                Log.Rescued(log, run, state);
            }
        }

        await services.GetRequiredService<RefreshWindows>().Sweep(cancel);
        await queue.Reopen(cancel);
        foreach (var (tenant, run) in await queue.Overdue(cancel))
        {
            var db = services.GetRequiredService<NetAutomationDb>();
            await using var transaction = await db.Begin(tenant, cancel);
            if (await services.GetRequiredService<RunJournal>().End(tenant, run, _queued, "expired", "scheduler", cancel))
            {
                await transaction.CommitAsync(cancel);
                signals.RingNews(run);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(704, LogLevel.Information, "Events of runs of {Day} were dropped")]
        public static partial void Dropped(ILogger logger, DateOnly day);

        [LoggerMessage(702, LogLevel.Warning, "Run {Run} lost its worker and is now {State}")]
        public static partial void Rescued(ILogger logger, RunId run, RunState state);

        [LoggerMessage(701, LogLevel.Error, "Run upkeep failed")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
