using NetAutomation.Billing;
using NetAutomation.Connections;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;

namespace NetAutomation.Tenants.Agreements;

/// <summary>Receives Marketplace's events: stores each by its id, applies it, and then deletes it from the queue.</summary>
internal sealed partial class EventLoop(LifecycleQueue queue, IServiceScopeFactory scopes, ReconcileSignal signal, ILogger<EventLoop> log)
{
    // Shorter than the time after which the queue delivers the message again.
    private static readonly TimeSpan _flush = TimeSpan.FromSeconds(30);

    public Task Run(CancellationToken cancel) => queue.Receive(received => Take(received, cancel), cancel);

    private async Task Take(LifecycleEvent received, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        var events = scope.ServiceProvider.GetRequiredService<ApplyEvents>();
        await events.Store(received, cancel);
        try
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            var isEnding = await events.Apply(received.Id, cancel);
            await transaction.CommitAsync(cancel);
            Log.Taken(log, received.Name, received.Id);
            signal.Nudge();
            if (isEnding)
            {
                await Flush(scope.ServiceProvider, cancel);
            }
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            // It is stored, and SweepEvents finds it.
            Log.NotApplied(log, received.Id, fault);
        }
    }

    /// <summary>AWS takes the last usage of an agreement for a short time only. If this fails, the hourly report tries again.</summary>
    private async Task Flush(IServiceProvider services, CancellationToken cancel)
    {
        using var deadline = cancel.Within(_flush);
        try
        {
            await services.GetRequiredService<UsageReporting>().Report(deadline.Token);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            Log.NotFlushed(log, fault);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(302, LogLevel.Warning, "The last usage of an agreement could not be reported at once")]
        public static partial void NotFlushed(ILogger logger, Exception exception);

        [LoggerMessage(303, LogLevel.Error, "Marketplace event {Id} is stored and could not be applied")]
        public static partial void NotApplied(ILogger logger, string id, Exception exception);

        [LoggerMessage(301, LogLevel.Information, "Marketplace event {Name} {Id}")]
        public static partial void Taken(ILogger logger, string name, string id);
    }
}
