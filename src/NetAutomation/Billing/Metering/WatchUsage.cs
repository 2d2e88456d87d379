using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Metering;

/// <summary>Says once when usage has waited too long to be reported, and once when it no longer does.</summary>
internal sealed partial class WatchUsage(
    SystemDb db, IOptions<MarketplaceOptions> product, IOptions<MeteringOptions> options, MeteringMetrics metrics, TimeProvider clock,
    ILogger<WatchUsage> log)
{
    public async Task Run(CancellationToken cancel)
    {
        if (product.Value.Dimension.Length == 0)
        {
            return;
        }

        var oldest = await Oldest(db, cancel);
        var waiting = oldest is { } ended && clock.GetUtcNow() > ended ? clock.GetUtcNow() - ended : TimeSpan.Zero;
        metrics.Waiting(waiting);
        var level = waiting >= options.Value.WarnAfter * 2 ? "error" : waiting >= options.Value.WarnAfter ? "warning" : "ok";
        if (await db.Execute(
            $"update billing.metering_watch set level = {level}, changed_at = clock_timestamp() where level <> {level}", cancel) == 0)
        {
            return;
        }

        switch (level)
        {
            case "error":
                Log.Late(log, waiting);
                break;
            case "warning":
                Log.Waiting(log, waiting);
                break;
            default:
                Log.Reported(log);
                break;
        }
    }

    /// <summary>The end of the oldest hour that AWS has not been told of; null where there is none.</summary>
    public static Task<DateTimeOffset?> Oldest(SystemDb db, CancellationToken cancel) => db.Scalar<DateTimeOffset?>(
        $"""
        select least((select min(hour) from billing.metering_record where state = 'sealed'), (select min(occurred_hour) from billing.metering_backlog)) + interval '1 hour'
        """,
        cancel);

    private static partial class Log
    {
        [LoggerMessage(1205, LogLevel.Warning, "Usage waits for {Waiting} to be reported to AWS Marketplace")]
        public static partial void Waiting(ILogger logger, TimeSpan waiting);

        [LoggerMessage(1206, LogLevel.Error, "Usage waits for {Waiting} to be reported to AWS Marketplace, which soon takes it no more")]
        public static partial void Late(ILogger logger, TimeSpan waiting);

        [LoggerMessage(1207, LogLevel.Information, "All usage is reported to AWS Marketplace again")]
        public static partial void Reported(ILogger logger);
    }
}
