using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using NetAutomation.Onboarding;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// Closes open connections of an endpoint once it is bound to no tenant. Requests are checked one by one anyway; this ends streams that
/// were let in before.
/// </summary>
internal sealed partial class LiveConnections(TenantDirectory tenants, EdgeMetrics metrics, TimeProvider time, ILogger<LiveConnections> log) : BackgroundService
{
    private static readonly TimeSpan _period = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<ConnectionContext, string> _open = new();

    public IDisposable Add(string endpointId, ConnectionContext connection)
    {
        _open[connection] = endpointId;
        return new Entry(this, connection);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var endpoint in _open.Values.Distinct(StringComparer.Ordinal))
                {
                    if (await tenants.ByEndpoint(endpoint, stoppingToken) is null)
                    {
                        Close(endpoint);
                    }
                }
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                // An unreachable database proves nothing about a binding.
                Log.Unchecked(log, fault);
            }
        }
    }

    private void Close(string endpoint)
    {
        foreach (var (connection, _) in _open.Where(each => each.Value == endpoint))
        {
            metrics.Refused(Platform.Listener.Customer, "binding_ended");
            connection.Abort(new ConnectionAbortedException("The endpoint is bound to no tenant."));
        }
    }

    private sealed record Entry(LiveConnections Owner, ConnectionContext Connection) : IDisposable
    {
        public void Dispose() => Owner._open.TryRemove(Connection, out _);
    }

    private static partial class Log
    {
        [LoggerMessage(201, LogLevel.Warning, "Bindings of open connections could not be checked")]
        public static partial void Unchecked(ILogger logger, Exception exception);
    }
}
