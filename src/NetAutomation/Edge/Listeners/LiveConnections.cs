using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using NetAutomation.Connections;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// The open connections of this process by endpoint. When an endpoint's binding ends, its connections are closed, whatever runs on them: at
/// a signal from another process, or within a few seconds without one. Each request is checked anyway; this also ends the requests that are
/// running.
/// </summary>
internal sealed class LiveConnections(BindingDirectory bindings, BindingBell bell, EdgeMetrics metrics)
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<OpenConnection, bool> _open = new();

    /// <summary>Dispose when the connection has ended.</summary>
    public OpenConnection Open(string endpointId, Listener listener, ConnectionContext connection)
    {
        var open = new OpenConnection(this, bindings, endpointId, listener, connection);
        _open[open] = true;
        return open;
    }

    /// <summary>Waits for a signal, or a short time.</summary>
    public async Task Wait(CancellationToken cancel)
    {
        if (await bell.Wait(Period, cancel))
        {
            bindings.Forget();
        }
    }

    /// <summary>
    /// Closes the connections of each endpoint whose binding ended. An unreachable database proves nothing about a binding.
    /// </summary>
    public async Task Sweep(CancellationToken cancel)
    {
        // Read the bindings before the query: the next sweep judges connections that are bound again in the meantime.
        var open = _open.Keys.Select(each => (Connection: each, Binding: each.Binding?.Id)).ToList();
        if (open.Count == 0)
        {
            return;
        }

        var alive = await bindings.Alive([.. open.Select(each => each.Connection.EndpointId).Distinct(StringComparer.Ordinal)], cancel);
        foreach (var (connection, binding) in open)
        {
            if (!alive.TryGetValue(connection.EndpointId, out var now) || (binding ?? now) != now)
            {
                metrics.Refused(connection.Listener, "binding_ended");
                connection.Abort();
            }
        }
    }

    /// <summary>
    /// A connection through an endpoint. It keeps the binding that its first request found, since an endpoint that is bound again may
    /// belong to another tenant.
    /// </summary>
    internal sealed class OpenConnection(
        LiveConnections owner, BindingDirectory bindings, string endpointId, Listener listener, ConnectionContext connection) : IDisposable
    {
        private EndpointBinding? _binding;

        public string EndpointId => endpointId;

        public Listener Listener => listener;

        public EndpointBinding? Binding => Volatile.Read(ref _binding);

        /// <summary>Null where the endpoint is bound to no tenant, or not by the connection's binding.</summary>
        public async ValueTask<TenantId?> Tenant(CancellationToken cancel)
        {
            if (await bindings.ByEndpoint(endpointId, cancel) is not { } now)
            {
                return null;
            }

            var first = Interlocked.CompareExchange(ref _binding, now, null) ?? now;
            return first.Id == now.Id ? now.Tenant : null;
        }

        public void Abort() => connection.Abort(new ConnectionAbortedException("The endpoint's binding ended."));

        public void Dispose() => owner._open.TryRemove(this, out _);
    }
}
