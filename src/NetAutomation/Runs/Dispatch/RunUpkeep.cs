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

    /// <summary>Ends queued runs whose startBy has passed. A tenant whose run fails has its turn the next time.</summary>
    public async Task Expire(CancellationToken cancel)
    {
        var failed = new HashSet<TenantId>();
        foreach (var (tenant, run) in await queue.Overdue(cancel))
        {
            try
            {
                if (!failed.Contains(tenant))
                {
                    await Expire(tenant, run, cancel);
                }
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested
                && (Outage.IsContention(fault) || !Outage.Is(fault)))
            {
                failed.Add(tenant);
                Log.NotExpired(log, run, fault);
            }
        }
    }

    private async Task Expire(TenantId tenant, RunId run, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        db.SendWithNext($"select set_config('lock_timeout', '1s', true)");
        if (await endings.Expire(tenant, run, cancel))
        {
            await transaction.CommitAsync(cancel);
            signals.RingNews(run);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(704, LogLevel.Information, "Events of runs of {Day} were dropped")]
        public static partial void Dropped(ILogger logger, DateOnly day);

        [LoggerMessage(707, LogLevel.Error, "Run {Run} did not start in time and could not be ended yet")]
        public static partial void NotExpired(ILogger logger, RunId run, Exception exception);
    }
}
