using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Links;
using NetAutomation.Web;
using OpenTelemetry.Metrics;

namespace NetAutomation.Connectors.Peers;

/// <summary>
/// The peer listener: open where other replicas may call, and in every process without the API, which has its health here alone.
/// </summary>
internal sealed class PeerHost(
    PeerApi api, PeerListener listener, PeerIdentity self, Roles roles, MeterProvider metrics, IOptions<PeerOptions> options,
    ILoggerFactory loggers)
    : IHostedService
{
    private WebApplication? _app;

    /// <summary>Where it listens; for tests that ask for port 0.</summary>
    public Uri Address => new(_app!.Urls.Single());

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.IsSet && roles.Api)
        {
            return;
        }

        if (listener.Address.Length == 0)
        {
            throw new InvalidOperationException(
                "Edge:Listeners:Peer is empty, so neither other replicas nor a health check could reach this process.");
        }

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            ConnectorHost.Limit(kestrel.Limits);
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPEndPoint.Parse(listener.Address), listen => listener.Transport(listen));
        });
        // After Kestrel's own, which would come before it.
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, LargeBlocks>();
        _app = builder.Build();
        _app.UseRouting();
        _app.UseOpenTelemetryPrometheusScrapingEndpoint(metrics, http => http.Request.Path == "/metrics", null, null, null);
        _app.MapGet("/healthz/live", http => http.Response.WriteAsync("live", http.RequestAborted));
        _app.MapGet("/healthz/ready", async http =>
        {
            var fault = await listener.Fault();
            http.Response.StatusCode = fault is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            await http.Response.WriteAsync(fault ?? "ready", http.RequestAborted);
        });
        api.Map(_app);
        await _app.StartAsync(cancellationToken);
        if (options.Value.IsSet)
        {
            var url = new UriBuilder(options.Value.Url);
            url.Port = url.Port == 0 ? Address.Port : url.Port;
            self.Url = url.Uri.GetLeftPart(UriPartial.Authority);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
            await _app.DisposeAsync();
        }
    }
}
