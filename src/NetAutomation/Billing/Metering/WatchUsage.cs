using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Metering;

/// <summary>Logs once when usage has waited too long to be reported, and once when it no longer does.</summary>
internal sealed partial class WatchUsage(
    SystemDb db, IOptions<MarketplaceOptions> product, IOptions<MeteringOptions> options, MeteringMetrics metrics, TimeProvider clock,
    ILogger<WatchUsage> log)
{
    /// <summary>SQL: the end of the oldest hour that is not reported to AWS; null where all are.</summary>
    public static readonly FormattableString Oldest =
        $"""
        least(
          (select min(hour) from billing.metering_record where state = 'sealed'),
          (select min(occurred_hour) from billing.metering_backlog)) + interval '1 hour'
        """;

    public async Task Run(CancellationToken cancel)
    {
        if (product.Value.Dimension.Length == 0)
        {
            return;
        }

        var ended = await db.Scalar<DateTimeOffset?>($"select {Oldest}", cancel);
        var waiting = ended < clock.GetUtcNow() ? clock.GetUtcNow() - ended.Value : TimeSpan.Zero;
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
