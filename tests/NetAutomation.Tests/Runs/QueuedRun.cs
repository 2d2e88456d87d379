using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>One fixture with a queued run, for tests that do not change it.</summary>
public sealed class QueuedRun(PostgresServer postgres) : IAsyncLifetime
{
    internal RunGround Ground { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Ground = await RunGround.Start(postgres, 1);
        await Ground.StartRun();
    }

    public ValueTask DisposeAsync() => Ground.DisposeAsync();
}
