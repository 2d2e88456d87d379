using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace NetAutomation.Tests.Support;

/// <summary>What a counter of a host has counted, by its labels, as an operator sees it.</summary>
internal sealed class MetricCounts : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, long> _counts = [];

    public MetricCounts(ServiceHost host, string counter)
    {
        var factory = host.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == factory && instrument.Name == counter)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            lock (_counts)
            {
                var labels = string.Join(' ', tags.ToArray().Select(tag => tag.Value));
                _counts[labels] = _counts.GetValueOrDefault(labels) + count;
            }
        });
        _listener.Start();
    }

    /// <param name="labels">Their values, in their order.</param>
    public long this[string labels]
    {
        get
        {
            lock (_counts)
            {
                return _counts.GetValueOrDefault(labels);
            }
        }
    }

    public void Dispose() => _listener.Dispose();
}
