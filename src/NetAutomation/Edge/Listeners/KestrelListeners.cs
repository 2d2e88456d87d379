using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>Opens the listeners of the main host. Each marks its connections, so that a route knows the listener of a request.</summary>
internal sealed class KestrelListeners(IOptions<EdgeOptions> options, EdgeAddresses addresses, IServiceProvider services)
    : IConfigureOptions<KestrelServerOptions>
{
    // Less than the 350 s after which NLB and endpoint drop an idle flow and tell neither side.
    private static readonly TimeSpan _keepAlive = TimeSpan.FromSeconds(300);

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.KeepAliveTimeout = _keepAlive;
        Listen(kestrel, Listener.Customer, listen => listen.UseEndpointIdentity(services, Listener.Customer, HttpProtocols.Http1AndHttp2));
        Listen(kestrel, Listener.Operator, listen => listen.UseServerCertificate(services, HttpProtocols.Http1AndHttp2));
        Listen(kestrel, Listener.Registration, listen => listen.Protocols = HttpProtocols.Http1);
    }

    private void Listen(KestrelServerOptions kestrel, Listener listener, Action<ListenOptions> transport)
    {
        if (options.Value.Listeners[listener] is not { Length: > 0 } address)
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
