using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Web;
using NetAutomation.Web;
using NetAutomation.Web.Rates;
using NetAutomation.Web.Telemetry;
using Serilog;

namespace NetAutomation.Tests.Edge;

/// <summary>How often connections may come.</summary>
public sealed class ConnectionRateTests(PostgresServer postgres)
{
    private const int Burst = 10;

    [Theory]
    [InlineData(Standstill.Raw)]
    [InlineData(Standstill.Http2)]
    public async Task Connections_that_come_too_often_through_an_endpoint_end_before_TLS_and_others_come_in(Standstill stop)
    {
        var clock = new StoppedClock();
        await using var host = await ServiceHost.Start(
            await postgres.Create(), ["Rates:Connections:PerSecond=1", $"Rates:Connections:Burst={Burst}", "Edge:ProofSeconds=300"],
            builder => builder.Services.AddSingleton<TimeProvider>(clock));
        var (greedy, other) = (await host.CreateTenant(), await host.CreateTenant());
        var through = ProxyV2.Header(greedy.EndpointId);
        using var refusals = new MetricCounts(host, "netautomation.edge.connections.refused");
        var open = OpenConnection.Many(Burst + 5, host.Address(Listener.Customer), through, stop, host.Certificate);
        await Eventually.Holds(() => OpenConnection.EndedOf(open) == 5, within: TimeSpan.FromSeconds(60));
        refusals["customer endpoint_rate"].ShouldBeGreaterThanOrEqualTo(5);

        (await other.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        OpenConnection[] apart =
        [
            OpenConnection.To(host.Address(Listener.Connector), through, Standstill.Tls, host.Certificate),
            .. OpenConnection.Many(3 * Burst, host.Address(Listener.Customer), ProxyV2.Local, Standstill.Tls, host.Certificate),
        ];
        await Task.WhenAll(apart.Select(each => each.Ready));
        clock.Advance(TimeSpan.FromSeconds(1));
        (await greedy.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        OpenConnection.EndedOf(apart).ShouldBe(0);
        Array.ForEach([.. open, .. apart], each => each.Dispose());
    }

    [Fact]
    public async Task Log_shows_the_refusals_of_each_endpoint_whatever_another_one_does()
    {
        var lines = new Lines();
        await using var log = new LoggerConfiguration().WriteTo.Sink(new BoundedLines(lines, new LeftOutLines(), new FakeTimeProvider()))
            .CreateLogger();
        await using var host = await ServiceHost.Start(
            await postgres.Create(), ["Edge:MaxConnectionsPerEndpoint=2", "Edge:ProofSeconds=300"], builder =>
            {
                builder.Logging.ClearProviders().AddSerilog(log);
                builder.Logging.SetMinimumLevel(LogLevel.Information);
            });
        var (greedy, other) = (await host.CreateTenant(), await host.CreateTenant());
        foreach (var (tenant, many) in new[] { (greedy, 100), (other, 3) })
        {
            using var guesser = host.Customer(tenant.EndpointId, "nak_unknown");
            for (var call = 0; call < many; call++)
            {
                (await guesser.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
            }

            guesser.Dispose();
            var open = OpenConnection.Many(
                many, host.Address(Listener.Customer), ProxyV2.Header(tenant.EndpointId), Standstill.Raw, host.Certificate);
            await Eventually.Holds(() => OpenConnection.EndedOf(open) >= many - 2);
            Array.ForEach(open, each => each.Dispose());
        }

        lines.With("401", greedy.EndpointId).Count.ShouldBe(10);
        lines.With("401", other.EndpointId).Count.ShouldBe(3);
        lines.With("endpoint_full", greedy.EndpointId).Count.ShouldBe(10);
        lines.With("endpoint_full", other.EndpointId).Count.ShouldBeGreaterThanOrEqualTo(1);
    }

    /// <summary>The arithmetic of docs/operating.md, with the pauses that connectors make.</summary>
    [Theory]
    [InlineData(1, 120)]
    [InlineData(4, 1)]
    public void Connectors_of_a_service_that_restarted_are_back_soon(int endpoints, int seconds)
    {
        const int Connectors = 2_000;
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var (clock, random) = (new StoppedClock(), new Random(1));
        var rates = new RateLimits(
            Options.Create(new RatesOptions()), Options.Create(new DatabaseOptions()), clock,
            new LimitMetrics(services.GetRequiredService<IMeterFactory>()));
        var waiting = Enumerable.Range(0, Connectors).Select(number => new Attempt($"vpce-{number % endpoints}", 0, 0.2)).ToList();
        for (var now = 0.0; now < seconds && waiting.Count > 0; now += 0.1, clock.Advance(TimeSpan.FromSeconds(0.1)))
        {
            waiting = [.. waiting.Where(each => each.At > now || !Attaches(each.Endpoint)).Select(each => each.At > now ? each
                : each with { At = now + (each.Pause * (0.5 + (random.NextDouble() / 2))), Pause = Math.Min(2 * each.Pause, 30) })];
        }

        waiting.Count.ShouldBe(0);

        bool Attaches(string endpoint) => rates.Connection(Listener.Connector, endpoint) is null && rates.Connector(endpoint) is null
            && rates.Challenge(endpoint) is null && rates.Connector(endpoint) is null;
    }

    /// <summary>The next one of a connector.</summary>
    private sealed record Attempt(string Endpoint, double At, double Pause);
}
