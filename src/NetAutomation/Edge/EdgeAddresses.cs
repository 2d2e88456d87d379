using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>The addresses of the listeners while the service runs; they differ from the configuration where it says port 0.</summary>
internal sealed class EdgeAddresses
{
    private readonly ConcurrentDictionary<Listener, ListenOptions> _bound = new();

    public IPEndPoint Of(Listener listener) => _bound[listener].IPEndPoint!;

    /// <summary>False where this process has no such listener.</summary>
    public bool Has(Listener listener) => _bound.ContainsKey(listener);

    /// <summary>
    /// Whose endpoint this is, by identity, since several may ask for port 0. An unknown one is a customer's, with the narrowest limits.
    /// </summary>
    public Listener ListenerAt(EndPoint endpoint) =>
        _bound.FirstOrDefault(pair => ReferenceEquals(pair.Value.EndPoint, endpoint)).Key;

    public void Add(Listener listener, ListenOptions listen) => _bound[listener] = listen;
}
