using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Tests.Scheduling;

/// <summary>A service with one well-behaved tenant; each test brings another one that is not. It counts what is evaluated.</summary>
public sealed class CostlyCalendars(PostgresServer postgres) : IAsyncLifetime
{
    private readonly MeterListener _listener = new();
    private readonly Leavers _leavers = new();
    private long _steps;
    private long _abandoned;

    internal RunFixture Fixture { get; private set; } = null!;

    internal long Steps => Interlocked.Read(ref _steps);

    internal long Abandoned => Interlocked.Read(ref _abandoned);

    /// <summary>Called in the midst of an evaluation, each thousand steps.</summary>
    internal Action? OnSteps { get; set; }

    public async ValueTask InitializeAsync()
    {
        Fixture = await RunFixture.Start(postgres, 1, configure: builder => builder.Services.AddSingleton<IStartupFilter>(_leavers));
        var meters = Fixture.Host.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == EvaluationMetrics.MeterName && instrument.Meter.Scope == meters)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (instrument.Name == "netautomation.evaluation.steps")
            {
                Interlocked.Add(ref _steps, value);
                OnSteps?.Invoke();
            }
            else if (tags.Length == 1 && tags[0].Value is "abandoned")
            {
                Interlocked.Increment(ref _abandoned);
            }
        });
        _listener.Start();
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await Fixture.DisposeAsync();
        _leavers.Dispose();
    }

    /// <summary>A further tenant with two devices and a block.</summary>
    internal async Task<TestTenant> CreateTenant()
    {
        var tenant = await Fixture.Host.CreateTenant();
        await Fixture.AddDevices(tenant, 2);
        await Fixture.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        return tenant;
    }

    internal async Task<string> Schedule(HttpClient client, string cron = "0 * * * *") =>
        (await Fixture.Post(
            client, "/v1/schedules",
            new { name = $"s-{Guid.NewGuid():n}", cron, timeZone = "UTC", run = Fixture.Apply("10.9.0.0/16") }))["id"]!.GetValue<string>();

    internal async Task<string> Window(HttpClient client, string kind, string cron, string duration) =>
        (await Fixture.Post(
            client, "/v1/windows",
            new { name = $"w-{Guid.NewGuid():n}", kind, cron, duration, timeZone = "UTC" }))["id"]!.GetValue<string>();

    /// <summary>Gives a schedule or window the rule of a time when none was refused.</summary>
    internal Task MakeCostly(string table, Guid id, string rest = "") => Fixture.Sql(
        $"update {table} set cron = null, rrule = $2{rest} where id = $1", id, CostlyRuleTests.Dense);

    /// <summary>Forgets the clients that have left until now.</summary>
    internal void ForgetLeavers() => _leavers.Left.Reset();

    /// <summary>Waits until it has noticed that a client left: in the midst of an evaluation, where nothing can be awaited.</summary>
    internal bool LeaverIsNoticed() => _leavers.Left.Wait(Eventually.Limit);

    /// <summary>Watches every request for its client to leave.</summary>
    private sealed class Leavers : IStartupFilter, IDisposable
    {
        public ManualResetEventSlim Left { get; } = new();

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (http, handle) =>
            {
                await using var watched = http.RequestAborted.Register(Left.Set);
                await handle(http);
            });
            next(app);
        };

        public void Dispose() => Left.Dispose();
    }
}
