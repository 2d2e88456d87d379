using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>Where the listeners are bound once the service runs; differs from the configuration where that says port 0.</summary>
internal sealed class EdgeAddresses
{
    private readonly ConcurrentDictionary<Listener, ListenOptions> _bound = new();

    public IPEndPoint Of(Listener listener) => _bound[listener].IPEndPoint!;

    /// <summary>False where this process has no such listener.</summary>
    public bool Has(Listener listener) => _bound.ContainsKey(listener);

    public void Add(Listener listener, ListenOptions listen) => _bound[listener] = listen;
}
