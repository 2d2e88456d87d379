using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Context.Propagation;
using OpenTelemetry.Instrumentation.AspNetCore;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace NetAutomation.Web.Telemetry;

/// <summary>Metrics and traces of the service. docs/operating.md lists the instruments.</summary>
internal static class TelemetryModule
{
    // The OpenTelemetry SDK reads this variable.
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
        builder.Services.AddSingleton<DistributedContextPropagator, UntrustedTraces>();
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("netautomation", serviceNamespace: cell))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters).AddPrometheusExporter();
                if (IsSet(configuration, Endpoint) || IsSet(configuration, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
                {
                    metrics.AddOtlpExporter();
                }
            });
        if (IsSet(configuration, Endpoint) || IsSet(configuration, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        {
            // Only so does the instrumentation take the parent from the server, and not from the request's header.
            Sdk.SetDefaultTextMapPropagator(new TraceContextPropagator());
            telemetry.WithTracing(traces => traces.AddSource(Spans.SourceName).AddAspNetCoreInstrumentation(Requests).AddOtlpExporter());
        }
    }

    private static void Requests(AspNetCoreTraceInstrumentationOptions options)
    {
        options.Filter = http => (IsPublic(http) && !http.Request.Path.StartsWithSegments("/healthz", StringComparison.Ordinal))
            || http.Request.Path.StartsWithSegments("/peer/v1/dials", StringComparison.Ordinal);
        options.EnrichWithHttpRequest = (span, request) =>
        {
            if (IsPublic(request.HttpContext)
                && ActivityContext.TryParse(request.Headers.TraceParent, null, isRemote: true, out var caller))
            {
                span.AddLink(new ActivityLink(caller));
            }
        };
        options.EnrichWithHttpResponse = (span, response) => span.DisplayName = IsPublic(response.HttpContext)
            ? "request" : span.DisplayName;
    }

    private static bool IsPublic(HttpContext http) =>
        http.Features.Get<ListenerFeature>()?.Listener is Listener.Customer or Listener.Operator or Listener.Registration;

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
