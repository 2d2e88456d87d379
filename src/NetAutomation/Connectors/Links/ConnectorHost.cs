using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using NetAutomation.Tunnel;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connectors.Links;

/// <summary>
/// The connector listener: a Kestrel of its own, because its limits are per server and tunnels need other ones than the API.
/// </summary>
internal sealed class ConnectorHost(
    LinkApi api, LinkHub hub, EndpointTransport transport, IOptions<ConnectorsOptions> options, ILoggerFactory loggers) : IHostedService
{
    private WebApplication? _app;

    /// <summary>Where it listens; for tests that ask for port 0.</summary>
    public Uri Address => new(_app!.Urls.Single());

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Listener.Length == 0)
        {
            return;
        }

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<DistributedContextPropagator, UntrustedTraces>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits);
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPEndPoint.Parse(options.Value.Listener), listen => transport(listen));
        });
        // After Kestrel's own, which would come before it.
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, LargeBlocks>();
        _app = builder.Build();
        _app.UseRouting();
        _app.Use((http, next) =>
        {
            if (HttpProtocol.IsHttp2(http.Request.Protocol) || http.Request.Path.StartsWithSegments("/healthz", StringComparison.Ordinal))
            {
                return next(http);
            }

            // A proof belongs to a connection that carries streams.
            http.Response.StatusCode = StatusCodes.Status505HttpVersionNotsupported;
            return Task.CompletedTask;
        });
        _app.MapGet("/healthz/live", () => Results.Ok());
        _app.MapGet("/healthz/ready", () => hub.Draining ? Results.StatusCode(StatusCodes.Status503ServiceUnavailable) : Results.Ok());
        api.Map(_app);
        await _app.StartAsync(cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await hub.Drain(TimeSpan.FromSeconds(options.Value.DrainSeconds), cancellationToken);
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
            await _app.DisposeAsync();
        }
    }

    /// <summary>What tunnels need of a server.</summary>
    public static void Limit(KestrelServerLimits limits)
    {
        // Control stream, dial results and cut confirmations besides the tunnels; one stream too many hangs the client.
        limits.Http2.MaxStreamsPerConnection = TunnelProtocol.MaxTunnels + 50;
        limits.Http2.InitialStreamWindowSize = TunnelProtocol.StreamWindow;
        limits.Http2.InitialConnectionWindowSize = TunnelProtocol.ConnectionWindow;
        limits.MaxResponseBufferSize = 256 * 1024;
        limits.Http2.KeepAlivePingDelay = TunnelProtocol.PingDelay;
        limits.Http2.KeepAlivePingTimeout = TunnelProtocol.PingTimeout;
        // Idle tunnels and stalled readers are normal here; dead peers are found by PING.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.MaxRequestBodySize = TunnelProtocol.MaxMessageBytes;
        limits.MaxRequestHeadersTotalSize = 16 * 1024;
    }
}
