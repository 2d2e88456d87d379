using Microsoft.Extensions.Options;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connectors.Links;

/// <summary>The connector listener.</summary>
internal sealed class ConnectorHost(
    LinkApi api, LinkHub hub, EndpointTransport transport, BoundedTransport bounded, IOptions<ConnectorsOptions> options,
    ILoggerFactory loggers)
    : TunnelHost(bounded, loggers)
{
    public override Task StartAsync(CancellationToken cancellationToken) => options.Value.Listener.Length == 0 ? Task.CompletedTask
        : Listen(options.Value.Listener, listen => transport(listen), Map, cancellationToken, new UntrustedTraces());

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await hub.Drain(TimeSpan.FromSeconds(options.Value.DrainSeconds), cancellationToken);
        await base.StopAsync(cancellationToken);
    }

    private void Map(WebApplication app)
    {
        app.Use(api.Bound);
        app.Use((http, next) =>
        {
            if (HttpProtocol.IsHttp2(http.Request.Protocol) || http.Request.Path.StartsWithSegments("/healthz", StringComparison.Ordinal))
            {
                return next(http);
            }

            // A proof belongs to a connection that carries streams.
            http.Response.StatusCode = StatusCodes.Status505HttpVersionNotsupported;
            return Task.CompletedTask;
        });
        app.MapGet("/healthz/live", () => Results.Ok());
        app.MapGet("/healthz/ready", () => hub.Draining ? Results.StatusCode(StatusCodes.Status503ServiceUnavailable) : Results.Ok());
        api.Map(app);
    }
}
