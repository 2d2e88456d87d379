using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>One fixture with a queued run, for tests that do not change it.</summary>
public sealed class QueuedRun(PostgresServer postgres) : IAsyncLifetime
{
    internal RunFixture Fixture { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Fixture = await RunFixture.Start(postgres, 1);
        await Fixture.StartRun();
    }

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();
}
