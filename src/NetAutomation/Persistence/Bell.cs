using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>A notification without content: "look now", for this process at once and for the others.</summary>
internal abstract class Bell(string channel, NpgsqlDataSource database, TimeProvider clock, ILogger log)
    : NotificationChannel(channel, database, clock, log)
{
    private readonly SemaphoreSlim _received = new(0, 1);
    private readonly SemaphoreSlim _rung = new(0, 1);

    /// <summary>Call after the commit.</summary>
    public void Ring()
    {
        if (Listens)
        {
            Release(_received);
        }

        if (Notifies)
        {
            Release(_rung);
        }
    }

    /// <summary>True once it rings, false after this long.</summary>
    public Task<bool> Wait(TimeSpan longest, CancellationToken cancel) => _received.WaitAsync(longest, cancel);

    public override void Dispose()
    {
        base.Dispose();
        _received.Dispose();
        _rung.Dispose();
    }

    protected override void Receive(string payload) => Release(_received);

    protected override async Task<string[]> Next(CancellationToken cancel)
    {
        await _rung.WaitAsync(cancel);
        return [""];
    }

    private static void Release(SemaphoreSlim semaphore)
    {
        try
        {
            semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // It has rung already, and nobody has looked since.
        }
    }
}
