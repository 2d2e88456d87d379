using System.Security.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Edge.Proxy;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>The steps between a socket and HTTP.</summary>
internal static class EndpointListener
{
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
        services.GetRequiredService<EdgeAddresses>().Add(Listener.Connector, listen);
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
