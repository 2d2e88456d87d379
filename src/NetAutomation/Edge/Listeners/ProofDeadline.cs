using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// Ends a connection on which no caller was proven in time, whatever happens on it meanwhile: it is asked to end, so that a call under way
/// is answered, and ended half as long afterwards.
/// </summary>
internal sealed class ProofDeadline : IDisposable
{
    private readonly ConnectionContext _connection;
    private readonly Listener _listener;
    private readonly EdgeMetrics _metrics;
    private readonly IConnectionLifetimeNotificationFeature? _life;
    private readonly TimeSpan _grace;
    private readonly ITimer _timer;
    private bool _asked;

    public ProofDeadline(ConnectionContext connection, Listener listener, TimeSpan within, TimeProvider clock, EdgeMetrics metrics)
    {
        (_connection, _listener, _metrics, _grace) = (connection, listener, metrics, within / 2);
        _life = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        _timer = clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        connection.Features.Set(new ProofFeature(Dispose));
        _timer.Change(within, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void End()
    {
        if (_asked)
        {
            _connection.Abort(new ConnectionAbortedException("No caller was proven in time."));
            return;
        }

        _asked = true;
        _metrics.Refused(_listener, "unproven");
        _timer.Change(_grace, Timeout.InfiniteTimeSpan);
        _life?.RequestClose();
    }
}
