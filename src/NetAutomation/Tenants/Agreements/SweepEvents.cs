using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Agreements;

/// <summary>
/// Applies events that wait although their agreement exists: the process that received them died, or could not see the agreement yet.
/// </summary>
internal sealed partial class SweepEvents(SystemDb db, ApplyEvents events, ILogger<SweepEvents> log)
{
    public async Task Run(CancellationToken cancel)
    {
        foreach (var agreement in await events.Left(cancel))
        {
            try
            {
                await using var transaction = await db.Database.BeginTransactionAsync(cancel);
                await events.Apply(agreement, cancel);
                await transaction.CommitAsync(cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, agreement, fault);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(304, LogLevel.Error, "Marketplace events that wait for {Agreement} could not be applied")]
        public static partial void Failed(ILogger logger, AgreementId agreement, Exception exception);
    }
}
