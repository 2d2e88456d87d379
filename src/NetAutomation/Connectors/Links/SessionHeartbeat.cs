namespace NetAutomation.Connectors.Links;

/// <summary>Keeps the sessions of this process alive in the database and ends those whose connector or endpoint lost its right.</summary>
internal sealed partial class SessionHeartbeat(LinkHub hub, LinkStore store, TimeProvider time, ILogger<SessionHeartbeat> log) : BackgroundService
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(t => t.IsCompletedSuccessfully && t.Result, TaskScheduler.Default))
        {
            try
            {
                await Beat(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Links outlive a database outage: runs are held by their permits.
                Log.Missed(log, e);
            }
        }
    }

    internal async Task Beat(CancellationToken cancel)
    {
        hub.Sweep();
        var links = hub.All.ToList();
        if (links.Count == 0)
        {
            return;
        }

        var alive = await store.Seen(links, cancel);
        foreach (var link in links)
        {
            if (!alive.Contains(link.Id) || await link.Endpoint.CurrentTenant(cancel) != link.Tenant)
            {
                link.Close();
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(403, LogLevel.Warning, "The heartbeat of connector sessions failed")]
        public static partial void Missed(ILogger logger, Exception exception);
    }
}
