using System.Diagnostics.Metrics;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>Counts refused connections and requests. The caller never learns the reason.</summary>
internal sealed class EdgeMetrics(IMeterFactory meters)
{
    public const string MeterName = "NetAutomation.Edge";

    private readonly Counter<long> _connections = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.edge.connections.refused", "{connection}", "Connections that were turned away.");

    private readonly UpDownCounter<long> _open = meters.Create(MeterName).CreateUpDownCounter<long>(
        "netautomation.edge.connections.open", "{connection}", "Open connections of this process.");

    private readonly Counter<long> _requests = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.edge.requests.refused", "{request}", "Requests without a valid proof of identity.");

    public void Open(Listener listener, int change) =>
        _open.Add(change, new KeyValuePair<string, object?>("listener", Wire.Name(listener)));

    public void Refused(Listener listener, string reason) =>
        _connections.Add(1, new("listener", Wire.Name(listener)), new("reason", reason));

    public void Unauthorized(Listener listener, string reason) =>
        _requests.Add(1, new("listener", Wire.Name(listener)), new("reason", reason));
}
