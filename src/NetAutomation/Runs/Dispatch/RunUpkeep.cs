using NetAutomation.Persistence;

namespace NetAutomation.Runs.Dispatch;

/// <summary>Ends queued runs whose startBy has passed, and makes event partitions ahead of time.</summary>
internal sealed partial class RunUpkeep(IServiceScopeFactory scopes, TimeProvider clock, ILogger<RunUpkeep> log) : BackgroundService
{
    private static readonly string[] _queued = ["queued"];
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

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
        foreach (var (tenant, run) in await services.GetRequiredService<RunQueue>().Overdue(cancel))
        {
            var db = services.GetRequiredService<NetAutomationDb>();
            await using var transaction = await db.Begin(tenant, cancel);
            if (await services.GetRequiredService<RunJournal>().End(tenant, run, _queued, "expired", "scheduler", cancel))
            {
                await transaction.CommitAsync(cancel);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(701, LogLevel.Error, "Run upkeep failed")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
