using System.Diagnostics.Metrics;
using NetAutomation.Connections.Policy;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connections.Reconciling;

/// <summary>Shows whether rounds keep up with endpoint connections.</summary>
internal sealed class ConnectionMetrics(IMeterFactory meters)
{
    public const string MeterName = "NetAutomation.Connections";

    private readonly Counter<long> _rounds = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.connections.rounds", "{round}", "Rounds of reconciling endpoint connections.");

    private readonly Histogram<double> _duration = meters.Create(MeterName).CreateHistogram(
        "netautomation.connections.round.duration", "s", "How long a round took.", advice: Buckets.Short);

    private readonly Counter<long> _decided = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.connections.decided", "{connection}", "Endpoint connections that a round decided.");

    private readonly Counter<long> _refused = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.connections.refused", "{connection}", "Decisions that EC2 did not carry out.");

    private readonly Counter<long> _throttled = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.connections.throttled", "{call}", "Calls that EC2 throttled.");

    private readonly Counter<long> _unbound = meters.Create(MeterName).CreateCounter<long>(
        "netautomation.connections.unbound", "{binding}", "Bindings that a round ended.");

    private readonly Gauge<long> _pending = meters.Create(MeterName).CreateGauge<long>(
        "netautomation.connections.pending", "{connection}", "Endpoint connections that are not settled.");

    private readonly Gauge<double> _oldest = meters.Create(MeterName).CreateGauge<double>(
        "netautomation.connections.oldest_undecided", "s", "For how long the oldest connection has waited for a decision.");

    public void Round(bool succeeded, TimeSpan took)
    {
        _rounds.Add(1, new KeyValuePair<string, object?>("outcome", succeeded ? "done" : "failed"));
        _duration.Record(took.TotalSeconds);
    }

    public void Decided(Verdict verdict, int count) =>
        _decided.Add(count, new KeyValuePair<string, object?>("verdict", Wire.Name(verdict)));

    /// <summary>EC2 did not do what was decided.</summary>
    public void Refused(int count) => _refused.Add(count);

    public void Throttled(string code) => _throttled.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Unbound(int count) => _unbound.Add(count);

    /// <param name="pending">Connections that are not settled.</param>
    /// <param name="oldest">For how long the oldest of those waits that nobody accepted or rejected yet.</param>
    public void Waiting(long pending, TimeSpan oldest)
    {
        _pending.Record(pending);
        _oldest.Record(oldest.TotalSeconds);
    }
}
