using System.Diagnostics.Metrics;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Runs;

/// <summary>Runs in the queue of one state, and for how long the oldest of them has waited.</summary>
/// <param name="State">ready, or what they wait for.</param>
internal sealed record QueueLength(string State, long Runs, TimeSpan Oldest);

/// <summary>Shows how runs fare, from the queue to their settlement.</summary>
internal sealed class RunMetrics
{
    public const string MeterName = "NetAutomation.Runs";
    private readonly Gauge<long> _queue;
    private readonly Gauge<double> _oldest;
    private readonly Counter<long> _claims;
    private readonly Histogram<double> _run;
    private readonly Histogram<double> _device;
    private readonly Histogram<double> _lag;
    private readonly Histogram<double> _settlement;
    private readonly Counter<long> _sandboxes;

    public RunMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _queue = meter.CreateGauge<long>("netautomation.queue.length", "{run}", "Runs in the queue, by what they wait for.");
        _oldest = meter.CreateGauge<double>("netautomation.queue.oldest", "s", "For how long the oldest run of the queue has waited.");
        _claims = meter.CreateCounter<long>("netautomation.run.claims", "{claim}", "Runs that a worker of this process took.");
        _run = meter.CreateHistogram(
            "netautomation.run.duration", "s", "How long a worker was at a run that has ended.", advice: Buckets.Long);
        _device = meter.CreateHistogram(
            "netautomation.device.duration", "s", "From the first task on a device to its outcome.", advice: Buckets.Long);
        _lag = meter.CreateHistogram(
            "netautomation.run.event_lag", "s", "From an event in the sandbox until it is committed.", advice: Buckets.Short);
        _settlement =
            meter.CreateHistogram("netautomation.settlement.duration", "s", "How long settling a run took.", advice: Buckets.Short);
        _sandboxes = meter.CreateCounter<long>(
            "netautomation.sandbox.faults", "{sandbox}", "Sandboxes that did not start, broke, or met a limit of theirs.");
    }

    public void Queued(QueueLength length)
    {
        var state = new KeyValuePair<string, object?>("state", length.State);
        _queue.Record(length.Runs, state);
        _oldest.Record(length.Oldest.TotalSeconds, state);
    }

    /// <param name="again">An earlier attempt was lost.</param>
    public void Claimed(string block, bool again) => _claims.Add(1, new("block", block), new("attempt", again ? "further" : "first"));

    /// <param name="platforms">Of its devices; several are shown as mixed.</param>
    public void Ended(string block, IEnumerable<string> platforms, RunState outcome, TimeSpan took) => _run.Record(
        took.TotalSeconds, new("block", block), new("platform", platforms.Distinct().ToList() is [var only] ? only : "mixed"),
        new("outcome", Wire.Name(outcome)));

    public void Ended(string block, string platform, DeviceOutcome outcome, TimeSpan took) =>
        _device.Record(took.TotalSeconds, new("block", block), new("platform", platform), new("outcome", Wire.Name(outcome)));

    /// <param name="kind">not_started, broken or limit.</param>
    public void SandboxFault(string kind) => _sandboxes.Add(1, new KeyValuePair<string, object?>("kind", kind));

    public void Written(TimeSpan lag) => _lag.Record(lag.TotalSeconds);

    public void Settled(TimeSpan took) => _settlement.Record(took.TotalSeconds);
}
