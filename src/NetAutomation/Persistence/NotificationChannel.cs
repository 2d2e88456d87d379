using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// Carries notifications between processes by LISTEN and NOTIFY, after the commit and never inside it: a NOTIFY takes one lock for the
/// whole server until its transaction ends. At most twenty a second from each process. A notification may be lost; the next poll finds
/// what it was about.
/// </summary>
internal abstract partial class NotificationChannel(string channel, NpgsqlDataSource database, TimeProvider clock, ILogger log)
    : BackgroundService
{
    private static readonly TimeSpan _apart = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _check = TimeSpan.FromSeconds(10);

    /// <summary>This process receives notifications of others.</summary>
    protected virtual bool Listens => true;

    /// <summary>This process notifies others.</summary>
    protected virtual bool Notifies => true;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        Listens ? Repeat(Listen, stoppingToken) : Task.CompletedTask, Notifies ? Repeat(Notify, stoppingToken) : Task.CompletedTask);

    /// <summary>A notification has come, of this process or another.</summary>
    protected abstract void Receive(string payload);

    /// <summary>Waits until there is something to notify others of. Returns one payload of up to 8,000 bytes a notification.</summary>
    protected abstract Task<string[]> Next(CancellationToken cancel);

    /// <summary>Notifications come from now on, or no longer; also called while that stays the same.</summary>
    protected virtual void Listening(bool now)
    {
    }

    private async Task Repeat(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await work(cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Broken(log, channel, fault);
                await Task.Delay(_pause, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception)
            {
                // Stopping: what fails now, fails because of it.
            }
        }
    }

    private async Task Listen(CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        connection.Notification += (_, notification) => Receive(notification.Payload);
        await using var listen = new NpgsqlCommand($"listen {channel}", connection);
        try
        {
            while (!cancel.IsCancellationRequested)
            {
                // Repeated, since a dead connection is only noticed by using it.
                await listen.ExecuteNonQueryAsync(cancel);
                Listening(true);
                var listened = clock.GetTimestamp();
                while (clock.GetElapsedTime(listened) < _check && await connection.WaitAsync(_check, cancel))
                {
                    // The event above has received it.
                }
            }
        }
        finally
        {
            Listening(false);
        }
    }

    private async Task Notify(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            var payloads = await Next(cancel);
            await using var command = database.CreateCommand("select pg_notify($1, payload) from unnest($2) payload");
            command.Parameters.Add(new() { Value = channel });
            command.Parameters.Add(new() { Value = payloads });
            await command.ExecuteNonQueryAsync(cancel);
            await Task.Delay(_apart, clock, cancel);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Warning, "Processes cannot notify each other on {Channel}; they poll instead")]
        public static partial void Broken(ILogger logger, string channel, Exception exception);
    }
}
