using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;

namespace NetAutomation.Edge.Authenticate;

/// <summary>Shows when operators' keys expire, so that a successor is made in time.</summary>
internal sealed class OperatorKeyMetrics
{
    public OperatorKeyMetrics(IMeterFactory meters, IOptionsMonitor<OperatorOptions> options, TimeProvider clock) =>
        meters.Create(EdgeMetrics.MeterName).CreateObservableGauge(
            "netautomation.edge.operator_key.expires",
            () => options.CurrentValue.Keys.GroupBy(key => key.Name).Select(person => new Measurement<double>(
                (person.Max(key => key.ExpiresAt)!.Value - clock.GetUtcNow()).TotalSeconds,
                new KeyValuePair<string, object?>("operator", person.Key))),
            "s", "Until the last key of an operator expires; negative afterwards.");
}
