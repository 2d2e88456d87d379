using System.Diagnostics.Metrics;

namespace NetAutomation.Web.Rates;

/// <summary>Counts what was refused at a limit, by the limit's name.</summary>
internal sealed class LimitMetrics(IMeterFactory meters)
{
    public const string MeterName = "NetAutomation.Limits";

    private readonly Counter<long> _refused = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.limits.refused", "{request}", "Requests that were refused at a limit of their tenant, endpoint, key or address.");

    public void Refused(string limit) => _refused.Add(1, new KeyValuePair<string, object?>("limit", limit));
}
