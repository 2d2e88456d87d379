using Npgsql;

namespace NetAutomation.Onboarding;

/// <summary>
/// Tells every process that bindings ended, by LISTEN and NOTIFY after the commit. It says only "look now" and may be lost: who has open
/// connections looks every few seconds anyway.
/// </summary>
internal sealed partial class BindingBell([FromKeyedServices("app")] NpgsqlDataSource database, TimeProvider time, ILogger<BindingBell> log) : BackgroundService
{
    private static readonly TimeSpan _apart = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _again = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _check = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _heard = new(0, 1);
    private readonly SemaphoreSlim _tell = new(0, 1);

    /// <summary>Call after the commit.</summary>
    public void Ring()
    {
        Release(_heard);
        Release(_tell);
    }

    /// <summary>True once it rings, false after this long.</summary>
    public Task<bool> Wait(TimeSpan longest, CancellationToken cancel) => _heard.WaitAsync(longest, cancel);

    public override void Dispose()
    {
        base.Dispose();
        _heard.Dispose();
        _tell.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Repeat(Listen, stoppingToken), Repeat(Speak, stoppingToken));

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
                Log.Broken(log, fault);
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
        await using var listen = new NpgsqlCommand("listen na_bindings", connection);
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
            await using var command = database.CreateCommand("notify na_bindings");
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
        [LoggerMessage(308, LogLevel.Warning, "Endings of bindings are not told between processes; looking for them instead")]
        public static partial void Broken(ILogger logger, Exception exception);
    }
}
