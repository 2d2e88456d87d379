using System.Security.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using NetAutomation.Edge.Listeners;
using NetAutomation.Edge.Proxy;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>The steps between a socket and HTTP.</summary>
internal static class EndpointListener
{
    /// <summary>The first step of every listener: names it, and ends connections that prove no caller in time.</summary>
    public static void UseBudget(this ListenOptions listen, IServiceProvider services, Listener listener)
    {
        services.GetRequiredService<EdgeAddresses>().Add(listener, listen);
        var (clock, metrics) = (services.GetRequiredService<TimeProvider>(), services.GetRequiredService<EdgeMetrics>());
        var within = TimeSpan.FromSeconds(services.GetRequiredService<IOptions<EdgeOptions>>().Value.ProofSeconds);
        listen.Use(next => async connection =>
        {
            connection.Features.Set(new ListenerFeature(listener));
            using var deadline = new ProofDeadline(connection, listener, within, clock, metrics);
            await next(connection);
        });
    }

    /// <summary>PROXY protocol v2, then TLS, for a listener behind the load balancer.</summary>
    /// <param name="listener">Names the listener in metrics.</param>
    public static void UseEndpointIdentity(this ListenOptions listen, IServiceProvider services, Listener listener, HttpProtocols protocols)
    {
        var header = services.GetRequiredService<RequireProxyHeader>();
        listen.Use(next => connection => header.Accept(connection, next, listener));
        listen.UseServerCertificate(services, protocols);
    }

    /// <summary>The connector listener. Load balancers ask for health in HTTP/1.1; connectors speak HTTP/2.</summary>
    public static void UseEndpointIdentity(this ListenOptions listen, IServiceProvider services)
    {
        listen.UseBudget(services, Listener.Connector);
        listen.UseEndpointIdentity(services, Listener.Connector, HttpProtocols.Http1AndHttp2);
    }

    public static void UseServerCertificate(this ListenOptions listen, IServiceProvider services, HttpProtocols protocols)
    {
        var server = services.GetRequiredService<ServerCertificate>();
        listen.Protocols = protocols;
        listen.UseHttps(https =>
        {
            https.ServerCertificate = server.Certificate;
            https.ServerCertificateChain = server.Chain;
            https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        });
    }
}
