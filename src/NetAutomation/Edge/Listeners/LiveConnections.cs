using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using NetAutomation.Connections;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// The open connections of this process by endpoint. Once an endpoint's binding ends they are closed, whatever runs on them: when another
/// process tells so, and every few seconds in case nobody did. Requests are checked one by one anyway; this ends what was let in before.
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

    /// <summary>Until a bell rings, or a short time.</summary>
    public async Task Wait(CancellationToken cancel)
    {
        if (await bell.Wait(Period, cancel))
        {
            bindings.Forget();
        }
    }

    /// <summary>
    /// Closes what is open through an endpoint whose binding ended. An unreachable database proves nothing about a binding.
    /// </summary>
    public async Task Sweep(CancellationToken cancel)
    {
        // Taken before the question: what is bound anew meanwhile is judged next time.
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
    /// A connection through an endpoint. It stays with the binding that its first request found: bound anew, the endpoint may be somebody
    /// else's.
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
