using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Tunnel;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Connectors.Links;

/// <summary>A listener of a Kestrel of its own, because limits are per server and tunnels need other ones than the API.</summary>
internal abstract class TunnelHost(BoundedTransport bounded, ILoggerFactory loggers) : IHostedService
{
    private WebApplication? _app;

    /// <summary>Where it listens; for tests that ask for port 0.</summary>
    public Uri Address => new(_app!.Urls.Single());

    public abstract Task StartAsync(CancellationToken cancellationToken);

    public virtual async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
            await _app.DisposeAsync();
        }
    }

    /// <param name="traces">Reads the trace headers of callers; where null, the default of ASP.NET Core.</param>
    protected async Task Listen(
        string address, Action<ListenOptions> transport, Action<WebApplication> map, CancellationToken cancel,
        DistributedContextPropagator? traces = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        // Lets the database find the budget of a request.
        builder.Services.AddHttpContextAccessor();
        if (traces is not null)
        {
            builder.Services.AddSingleton(traces);
        }

        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits);
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPEndPoint.Parse(address), transport);
        });
        // After Kestrel's own, which would come before them.
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, LargeBlocks>();
        builder.Services.AddSingleton(server => bounded(server));
        _app = builder.Build();
        _app.Use(HeadRequests.Answer);
        _app.UseRouting();
        map(_app);
        await _app.StartAsync(cancel);
    }

    private static void Limit(KestrelServerLimits limits)
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
