using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>Opens the listeners of the main host. Each marks its connections, so that a route can tell where a request came in.</summary>
internal sealed class KestrelListeners(IOptions<EdgeOptions> options, EdgeAddresses addresses, IServiceProvider services)
    : IConfigureOptions<KestrelServerOptions>
{
    // Below the 350 s after which an idle flow is dropped by NLB and endpoint without a word to either side.
    private static readonly TimeSpan _keepAlive = TimeSpan.FromSeconds(300);

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.KeepAliveTimeout = _keepAlive;
        var listeners = options.Value.Listeners;
        Listen(kestrel, Listener.Customer, listeners.Customer,
            listen => listen.UseEndpointIdentity(services, Listener.Customer, HttpProtocols.Http1AndHttp2));
        Listen(kestrel, Listener.Operator, listeners.Operator,
            listen => listen.UseServerCertificate(services, HttpProtocols.Http1AndHttp2));
        Listen(kestrel, Listener.Registration, listeners.Registration, listen => listen.Protocols = HttpProtocols.Http1);
    }

    private void Listen(KestrelServerOptions kestrel, Listener listener, string address, Action<ListenOptions> transport)
    {
        if (address.Length == 0)
        {
            return;
        }

        kestrel.Listen(IPEndPoint.Parse(address), listen =>
        {
            addresses.Add(listener, listen);
            listen.Use(next => connection =>
            {
                connection.Features.Set(new ListenerFeature(listener));
                return next(connection);
            });
            transport(listen);
        });
    }
}
