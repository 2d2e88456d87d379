using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Connections;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Connections;

/// <summary>The signals that wake the reconcile loop, and how often.</summary>
public sealed class ReconcileSignalTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_process_without_the_loop_wakes_the_one_that_has_it()
    {
        await using var database = NpgsqlDataSource.Create((await postgres.Create()).App);
        using var api = Signal(database, "api", TimeProvider.System);
        using var scheduler = Signal(database, "scheduler", TimeProvider.System);
        await api.StartAsync(CancellationToken.None);
        await scheduler.StartAsync(CancellationToken.None);
        // Signals before the listener is ready are lost.
        var woken = false;
        for (var tries = 0; tries < 300 && !woken; tries++)
        {
            api.Unbound($"vpce-{tries:x17}");
            woken = await scheduler.Wait(TimeSpan.FromMilliseconds(200), CancellationToken.None);
        }

        woken.ShouldBeTrue();
        (await api.Wait(TimeSpan.Zero, CancellationToken.None)).ShouldBeFalse();
        await api.StopAsync(CancellationToken.None);
        await scheduler.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task An_endpoint_that_stays_unbound_asks_ever_more_rarely()
    {
        await using var database = NpgsqlDataSource.Create((await postgres.Create()).App);
        var clock = new FakeTimeProvider();
        using var signal = Signal(database, "scheduler", clock);
        var rounds = 0;
        for (var passed = 0; passed < 600; passed++, clock.Advance(TimeSpan.FromSeconds(5)))
        {
            signal.Unbound("vpce-0aaaaaaaaaaaaaaa1");
            rounds += await signal.Wait(TimeSpan.Zero, CancellationToken.None) ? 1 : 0;
        }

        rounds.ShouldBeInRange(6, 10);
        signal.Unbound("vpce-0aaaaaaaaaaaaaaa2");
        (await signal.Wait(TimeSpan.Zero, CancellationToken.None)).ShouldBeTrue("another one is another matter");
    }

    private static ReconcileSignal Signal(NpgsqlDataSource database, string role, TimeProvider clock) => new(
        database, Options.Create(new ConnectionsOptions { ServiceId = "vpce-svc-0", ServiceName = "vpce-svc-0" }),
        new ConfigurationBuilder().AddInMemoryCollection([new("Roles:0", role)]).Build(), clock, NullLogger<ReconcileSignal>.Instance);
}
