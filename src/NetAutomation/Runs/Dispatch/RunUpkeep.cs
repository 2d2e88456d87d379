using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Runs.Dispatch;

/// <summary>What the scheduler does for runs. Each duty is a loop by itself, so that a fault of one stops no other.</summary>
internal sealed partial class RunUpkeep(
    IServiceScopeFactory scopes, RunSignals signals, IOptions<RunsOptions> options, TimeProvider clock, ILogger<RunUpkeep> log)
{
    private const int DaysAhead = 7;

    // A lease lasts 30 s, so a run is taken from its worker 35 s after the last renewal.
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _databaseUptime = TimeSpan.FromSeconds(60);

    // After a failover the database may have been up for long, and still nobody could renew.
    private long? _away;

    /// <summary>Makes the partitions of run events ahead of time.</summary>
    public async Task MakePartitions(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SystemDb>().Execute($"select runs.make_partitions({DaysAhead})", cancel);
    }

    /// <summary>Drops the oldest day of run events that has served its time.</summary>
    public async Task DropEvents(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        if (await scope.ServiceProvider.GetRequiredService<RunQueue>().DropEvents(options.Value.EventDays, cancel) is { } day)
        {
            Log.Dropped(log, day);
        }
    }

    /// <summary>Takes runs from workers whose lease has ended.</summary>
    public async Task Rescue(CancellationToken cancel)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var database = scope.ServiceProvider.GetRequiredService<SystemDb>();
            if (_away is { } away && clock.GetElapsedTime(away) <= _databaseUptime)
            {
                // Whether the database is still there: while it is not, the time starts anew.
                await database.Execute($"select 1", cancel);
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
            _away = clock.GetTimestamp();
            throw;
        }
    }

    /// <summary>Makes runs claimable whose reason to wait is over.</summary>
    public async Task Reopen(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<RunQueue>().Reopen(cancel);
    }

    /// <summary>Ends queued runs whose startBy has passed.</summary>
    public async Task Expire(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var services = scope.ServiceProvider;
        foreach (var (tenant, run) in await services.GetRequiredService<RunQueue>().Overdue(cancel))
        {
            var db = services.GetRequiredService<NetAutomationDb>();
            await using var transaction = await db.Begin(tenant, cancel);
            if (await services.GetRequiredService<RunEndings>().Expire(tenant, run, cancel))
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
    }
}
