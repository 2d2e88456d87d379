using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Runs.Dispatch;

/// <summary>What the scheduler does for runs as time passes.</summary>
internal sealed partial class RunUpkeep(
    NetAutomationDb db, RunQueue queue, RunEndings endings, RunSignals signals, IOptions<RunsOptions> options, ILogger<RunUpkeep> log)
{
    /// <summary>Drops the oldest day of run events that has been kept for long enough.</summary>
    public async Task DropEvents(CancellationToken cancel)
    {
        if (await queue.DropEvents(options.Value.EventDays, cancel) is { } day)
        {
            Log.Dropped(log, day);
        }
    }

    /// <summary>Ends queued runs whose startBy has passed.</summary>
    public async Task Expire(CancellationToken cancel)
    {
        foreach (var (tenant, run) in await queue.Overdue(cancel))
        {
            await using var transaction = await db.Begin(tenant, cancel);
            if (await endings.Expire(tenant, run, cancel))
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
    }
}
