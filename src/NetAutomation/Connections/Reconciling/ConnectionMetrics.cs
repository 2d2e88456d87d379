using System.Diagnostics.Metrics;
using NetAutomation.Connections.Policy;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connections.Reconciling;

/// <summary>Shows whether endpoint connections are kept up with.</summary>
internal sealed class ConnectionMetrics
{
    public const string MeterName = "NetAutomation.Connections";
    private readonly Counter<long> _rounds;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _decided;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _throttled;
    private readonly Counter<long> _unbound;
    private readonly Gauge<long> _pending;
    private readonly Gauge<double> _oldest;
    private readonly Gauge<double> _locked;

    public ConnectionMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _rounds = meter.CreateCounter<long>("netautomation.connections.rounds", "{round}", "Rounds of reconciling endpoint connections.");
        _duration = meter.CreateHistogram("netautomation.connections.round.duration", "s", "How long a round took.", advice: Buckets.Short);
        _decided =
            meter.CreateCounter<long>("netautomation.connections.decided", "{connection}", "Endpoint connections that a round decided.");
        _refused = meter.CreateCounter<long>("netautomation.connections.refused", "{connection}", "Decisions that EC2 did not carry out.");
        _throttled = meter.CreateCounter<long>("netautomation.connections.throttled", "{call}", "Calls that EC2 throttled.");
        _unbound = meter.CreateCounter<long>("netautomation.connections.unbound", "{binding}", "Bindings that a round ended.");
        _pending =
            meter.CreateGauge<long>("netautomation.connections.pending", "{connection}", "Endpoint connections that are not settled.");
        _oldest =
            meter.CreateGauge<double>(
                "netautomation.connections.oldest_undecided", "s", "For how long the oldest connection has waited for a decision.");
        _locked =
            meter.CreateGauge<double>(
                "netautomation.connections.lock_wait", "s", "For how long another process has kept this one from reconciling.");
    }

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

    /// <summary>For how long this process has been kept from reconciling by another one that holds the lock.</summary>
    public void Locked(TimeSpan waited) => _locked.Record(waited.TotalSeconds);

    /// <param name="pending">Connections that are not settled.</param>
    /// <param name="oldest">For how long the oldest of those waits that nobody accepted or rejected yet.</param>
    public void Waiting(long pending, TimeSpan oldest)
    {
        _pending.Record(pending);
        _oldest.Record(oldest.TotalSeconds);
    }
}
