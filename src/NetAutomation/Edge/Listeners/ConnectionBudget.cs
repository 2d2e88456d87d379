using System.Globalization;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Edge.Listeners;

/// <summary>What a connection takes a place of.</summary>
internal enum Share
{
    /// <summary>All connections of the process.</summary>
    Process,

    /// <summary>Those of the listeners that outsiders reach; an eighth of the process stays for operators and peers.</summary>
    Public,

    /// <summary>Those of the registration listener, whose callers nobody can tell apart.</summary>
    Registration,

    /// <summary>Those behind the load balancer whose PROXY header has not come, and those of the load balancer itself.</summary>
    Unidentified,

    /// <summary>Those of one listener through one endpoint.</summary>
    Endpoint,

    /// <summary>Those of one listener of one tenant. Endpoints that are bound to no tenant count as one.</summary>
    Tenant,
}

/// <summary>
/// How many connections may be open at one time, and how often they may come through one endpoint. The listeners of all servers of the
/// process share it, and it ends well below the descriptors that the process may open: without descriptors, the runtime ends the process.
/// </summary>
internal sealed partial class ConnectionBudget
{
    // Idle TLS connections take about 50 KB each.
    private const int UsualTotal = 20_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<(Share, Listener, string), int> _taken = [];
    private readonly Dictionary<Share, int> _most;
    private readonly int _reserve;
    private readonly RateLimits _rates;
    private readonly EdgeMetrics _metrics;
    private readonly ILogger _log;

    public ConnectionBudget(IOptions<EdgeOptions> options, RateLimits rates, EdgeMetrics metrics, ILogger<ConnectionBudget> log)
    {
        (_rates, _metrics, _log) = (rates, metrics, log);
        var (limits, files) = (options.Value, OpenFiles());
        var wanted = limits.MaxConnections > 0 ? limits.MaxConnections : UsualTotal;
        var total = Math.Min(wanted, files / 2);
        var tenant = Math.Clamp(total / 4, 1, limits.MaxConnectionsPerTenant);
        _most = new()
        {
            [Share.Process] = total, [Share.Public] = total - (total / 8), [Share.Registration] = Math.Max(total / 8, 1),
            [Share.Unidentified] = Math.Max(total / 2, 1), [Share.Tenant] = tenant,
            [Share.Endpoint] = Math.Min(limits.MaxConnectionsPerEndpoint, tenant),
        };
        _reserve = files - (limits.FreeDescriptors > 0 ? limits.FreeDescriptors : Math.Clamp(files / 8, 64, 1024));
        if (total < Math.Min(wanted, 4 * limits.MaxConnectionsPerTenant))
        {
            Log.FewDescriptors(log, files, total, tenant, 8 * limits.MaxConnectionsPerTenant);
        }
    }

    /// <summary>The places of a new connection; null where it is refused, which is counted.</summary>
    public ConnectionTicket? Admit(Listener listener, ConnectionContext connection)
    {
        var ticket = new ConnectionTicket(this, listener);
        var refusal = IsInReserve(connection) ? "few_descriptors" : ticket.Take(Share.Process);
        if (listener is Listener.Customer or Listener.Connector or Listener.Registration)
        {
            refusal ??= ticket.Take(Share.Public)
                ?? ticket.Take(listener == Listener.Registration ? Share.Registration : Share.Unidentified);
        }

        if (refusal is null)
        {
            return ticket;
        }

        ticket.Dispose();
        _metrics.Refused(listener, refusal);
        Log.Refused(_log, listener, refusal, "");
        return null;
    }

    /// <summary>Null where there was a place; else the reason, as it is counted.</summary>
    public string? Take(Share share, Listener listener, string owner)
    {
        lock (_gate)
        {
            var key = Key(share, listener, owner);
            var taken = _taken.GetValueOrDefault(key);
            if (taken < _most[share])
            {
                _taken[key] = taken + 1;
                Count(share, listener, 1);
                return null;
            }
        }

        var reason = $"{Wire.Name(share)}_full";
        if (owner.Length > 0)
        {
            Log.Refused(_log, listener, reason, owner);
        }

        return reason;
    }

    /// <summary>A connection has come through this endpoint.</summary>
    /// <returns>Null where they do not come too often; else the reason, as it is counted.</returns>
    public string? Arrive(Listener listener, string endpointId)
    {
        if (_rates.Connection(listener, endpointId) is null)
        {
            return null;
        }

        const string Often = "endpoint_rate";
        Log.Refused(_log, listener, Often, endpointId);
        return Often;
    }

    public void Return(Share share, Listener listener, string owner)
    {
        lock (_gate)
        {
            var key = Key(share, listener, owner);
            if (--_taken[key] == 0)
            {
                _taken.Remove(key);
            }
        }

        Count(share, listener, -1);
    }

    // Servers of one process share what is not an endpoint's or a tenant's.
    private static (Share, Listener, string) Key(Share share, Listener listener, string owner) =>
        share is Share.Endpoint or Share.Tenant ? (share, listener, owner) : (share, default, "");

    private void Count(Share share, Listener listener, int change)
    {
        if (share == Share.Process)
        {
            _metrics.Open(listener, change);
        }
    }

    // The kernel gives the lowest descriptor that is free. So one above the mark means that all below it are in use, and those above are
    // kept for what the process opens itself.
    private bool IsInReserve(ConnectionContext connection) =>
        connection.Features.Get<IConnectionSocketFeature>()?.Socket.Handle >= _reserve;

    /// <summary>RLIMIT_NOFILE: the soft limit, which the runtime has raised to the hard one.</summary>
    private static int OpenFiles()
    {
        var soft = File.ReadLines("/proc/self/limits").First(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        return int.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var files) ? files : int.MaxValue;
    }

    private static partial class Log
    {
        [LoggerMessage(
            221, LogLevel.Warning,
            "This process may open {Files} files only, so it takes {Total} connections and {Tenant} of one tenant; let it open {Wanted}")]
        public static partial void FewDescriptors(ILogger logger, int files, int total, int tenant, int wanted);

        [LoggerMessage(222, LogLevel.Warning, "A connection of {Listener} was refused: {Reason} {Owner}")]
        public static partial void Refused(ILogger logger, Listener listener, string reason, string owner);
    }
}

/// <summary>The places of one connection, a feature of it. They are given back when its descriptor is closed.</summary>
internal sealed class ConnectionTicket(ConnectionBudget budget, Listener listener) : IDisposable
{
    private readonly List<(Share Share, string Owner)> _held = new(4);

    /// <inheritdoc cref="ConnectionBudget.Take"/>
    public string? Take(Share share, string owner = "")
    {
        if (budget.Take(share, listener, owner) is { } refusal)
        {
            return refusal;
        }

        _held.Add((share, owner));
        return null;
    }

    /// <summary>The connection's PROXY header has come.</summary>
    /// <inheritdoc cref="ConnectionBudget.Take"/>
    public string? Identify(string endpointId)
    {
        if ((budget.Arrive(listener, endpointId) ?? Take(Share.Endpoint, endpointId)) is { } refusal)
        {
            return refusal;
        }

        if (_held.Remove((Share.Unidentified, "")))
        {
            budget.Return(Share.Unidentified, listener, "");
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var (share, owner) in _held)
        {
            budget.Return(share, listener, owner);
        }

        _held.Clear();
    }
}
