using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Agreements;

/// <summary>Applies what waits although its agreement is there: whoever should have applied it died, or could not see the agreement yet.</summary>
internal sealed partial class SweepEvents(SystemDb db, ApplyEvents events, TenantDirectory directory, ILogger<SweepEvents> log)
{
    public async Task Run(CancellationToken cancel)
    {
        foreach (var key in await events.Left(cancel))
        {
            try
            {
                await using var transaction = await db.Database.BeginTransactionAsync(cancel);
                await events.Apply(key, cancel);
                await transaction.CommitAsync(cancel);
                directory.Forget();
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, key, fault);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(314, LogLevel.Error, "Marketplace events that wait for {Agreement} could not be applied")]
        public static partial void Failed(ILogger logger, AgreementKey agreement, Exception exception);
    }
}
