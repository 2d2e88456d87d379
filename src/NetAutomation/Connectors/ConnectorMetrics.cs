using System.Diagnostics.Metrics;
using NetAutomation.Connectors.Links;

namespace NetAutomation.Connectors;

/// <summary>Shows the links and streams of this process.</summary>
internal sealed class ConnectorMetrics
{
    public const string MeterName = "NetAutomation.Connectors";

    private readonly LinkHub _hub;

    public ConnectorMetrics(IMeterFactory meters, LinkHub hub)
    {
        _hub = hub;
        var meter = meters.Create(MeterName);
        meter.CreateObservableUpDownCounter(
            "netautomation.connectors.links", Links, "{link}", "Links of connectors attached to this process.");
        meter.CreateObservableUpDownCounter(
            "netautomation.connectors.streams", Streams, "{stream}", "Open streams to devices over the links of this process.");
    }

    private int Links() => _hub.All.Count(link => !link.IsClosed);

    private int Streams() => _hub.All.Sum(link => link.Open.Count);
}
