using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Tells other processes by LISTEN and NOTIFY, after the commit. It says only "look now" and may be lost.</summary>
internal abstract partial class Bell(string channel, NpgsqlDataSource database, TimeProvider time, ILogger log) : BackgroundService
{
    private static readonly TimeSpan _apart = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _again = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _check = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _heard = new(0, 1);
    private readonly SemaphoreSlim _tell = new(0, 1);

    /// <summary>This process waits for the bell.</summary>
    protected virtual bool Listens => true;

    /// <summary>This process rings for others.</summary>
    protected virtual bool Speaks => true;

    /// <summary>Call after the commit.</summary>
    public void Ring()
    {
        if (Listens)
        {
            Release(_heard);
        }

        if (Speaks)
        {
            Release(_tell);
        }
    }

    /// <summary>True once it rings, false after this long.</summary>
    public Task<bool> Wait(TimeSpan longest, CancellationToken cancel) => _heard.WaitAsync(longest, cancel);

    public override void Dispose()
    {
        base.Dispose();
        _heard.Dispose();
        _tell.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        Listens ? Repeat(Listen, stoppingToken) : Task.CompletedTask, Speaks ? Repeat(Speak, stoppingToken) : Task.CompletedTask);

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
                await Task.Delay(_again, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task Listen(CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        connection.Notification += (_, _) => Release(_heard);
        await using var listen = new NpgsqlCommand($"listen {channel}", connection);
        while (!cancel.IsCancellationRequested)
        {
            // Repeated, since a dead connection is only noticed by using it.
            await listen.ExecuteNonQueryAsync(cancel);
            var listened = time.GetTimestamp();
            while (time.GetElapsedTime(listened) < _check && await connection.WaitAsync(_check, cancel))
            {
                // The notification was released above.
            }
        }
    }

    private async Task Speak(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            await _tell.WaitAsync(cancel);
            await using var command = database.CreateCommand($"notify {channel}");
            await command.ExecuteNonQueryAsync(cancel);
            await Task.Delay(_apart, time, cancel);
        }
    }

    private static void Release(SemaphoreSlim semaphore)
    {
        try
        {
            semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // Rung already.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Warning, "Processes cannot ring {Channel} for each other; they look now and then instead")]
        public static partial void Broken(ILogger logger, string channel, Exception exception);
    }
}
