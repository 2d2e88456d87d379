using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>Opens the listeners of the main host. Each marks its connections, so that a route knows the listener of a request.</summary>
internal sealed class KestrelListeners(IOptions<EdgeOptions> options, IServiceProvider services)
    : IConfigureOptions<KestrelServerOptions>
{
    // Bytes a second, so that the largest body of a customer is there within five minutes.
    private const double SlowestBody = 8 * 1024;

    private static readonly TimeSpan _headers = TimeSpan.FromSeconds(10);

    // Less than the 350 s after which NLB and endpoint drop an idle flow and tell neither side.
    private static readonly TimeSpan _keepAlive = TimeSpan.FromSeconds(300);

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.KeepAliveTimeout = _keepAlive;
        kestrel.Limits.RequestHeadersTimeout = _headers;
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(SlowestBody, TimeSpan.FromSeconds(5));
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
            listen.UseBudget(services, listener);
            transport(listen);
        });
    }
}
