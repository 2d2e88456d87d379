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
    BoundedTransport bounded, ILoggerFactory loggers) : TunnelHost(bounded, loggers)
{
    public override async Task StartAsync(CancellationToken cancellationToken)
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

        await Listen(listener.Address, listener.Transport, Map, cancellationToken);
        if (options.Value.IsSet)
        {
            var url = new UriBuilder(options.Value.Url);
            url.Port = url.Port == 0 ? Address.Port : url.Port;
            self.Url = url.Uri.GetLeftPart(UriPartial.Authority);
        }
    }

    private void Map(WebApplication app)
    {
        app.UseOpenTelemetryPrometheusScrapingEndpoint(metrics, http => http.Request.Path == "/metrics", null, null, null);
        app.MapGet("/healthz/live", http => http.Response.WriteAsync("live", http.RequestAborted));
        app.MapGet("/healthz/ready", async http =>
        {
            var fault = await listener.Fault();
            http.Response.StatusCode = fault is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            await http.Response.WriteAsync(fault ?? "ready", http.RequestAborted);
        });
        api.Map(app);
    }
}
