using System.Diagnostics.Metrics;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>Counts what the edge turned away; the caller is never told the reason.</summary>
internal sealed class EdgeMetrics
{
    public const string MeterName = "NetAutomation.Edge";
    private readonly Counter<long> _connections;
    private readonly Counter<long> _requests;

    public EdgeMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _connections =
            meter.CreateCounter<long>("netautomation.edge.connections.refused", "{connection}", "Connections that were turned away.");
        _requests =
            meter.CreateCounter<long>("netautomation.edge.requests.refused", "{request}", "Requests without a valid proof of identity.");
    }

    public void Refused(Listener listener, string reason) =>
        _connections.Add(1, new("listener", Wire.Name(listener)), new("reason", reason));

    public void Unauthorized(Listener listener, string reason) =>
        _requests.Add(1, new("listener", Wire.Name(listener)), new("reason", reason));
}
