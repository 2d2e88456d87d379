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

    public void Add(Listener listener, ListenOptions listen) => _bound[listener] = listen;
}
