using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace NetAutomation.Web.Telemetry;

/// <summary>What the service shows of itself. docs/operating.md lists the instruments.</summary>
internal static class TelemetryModule
{
    // The SDK reads it.
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Every meter that is exported.</summary>
    public static readonly string[] Meters = ["NetAutomation.*", "Microsoft.AspNetCore.Hosting"];

    /// <summary>A class of instruments, published from the start on, whether or not anything was counted yet.</summary>
    public static void AddInstruments<T>(this IServiceCollection services)
        where T : class => services.AddSingleton<T>().AddSingleton(provider => new Instruments(provider.GetRequiredService<T>()));

    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        if (configuration["Telemetry:OtlpEndpoint"] is { Length: > 0 } endpoint)
        {
            configuration.AddInMemoryCollection([new(Endpoint, endpoint)]);
        }

        var cell = configuration["Cell:Name"] ?? new CellOptions().Name;
        builder.Services.AddHostedService<InstrumentsHost>();
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("netautomation", serviceNamespace: cell))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters).AddPrometheusExporter();
                if (IsSet(configuration, Endpoint) || IsSet(configuration, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
                {
                    metrics.AddOtlpExporter();
                }
            });
    }

    private static bool IsSet(ConfigurationManager configuration, string name) => !string.IsNullOrEmpty(configuration[name]);

    private sealed record Instruments(object Published);

    private sealed class InstrumentsHost(IEnumerable<Instruments> all) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            _ = all.Count();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
