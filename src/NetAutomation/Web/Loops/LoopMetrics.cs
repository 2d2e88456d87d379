using System.Diagnostics.Metrics;

namespace NetAutomation.Web.Loops;

/// <summary>Shows how each loop of this process fares.</summary>
internal sealed class LoopMetrics
{
    public const string MeterName = "NetAutomation.Loops";

    private readonly LoopRegistry _loops;

    public LoopMetrics(IMeterFactory meters, LoopRegistry loops)
    {
        _loops = loops;
        var meter = meters.Create(MeterName);
        meter.CreateObservableCounter("netautomation.loop.runs", Runs, "{run}", "Runs of a loop in this process.");
        meter.CreateObservableGauge(
            "netautomation.loop.last_success", Successes, "s", "When a loop last succeeded in this process, since 1970.");
        meter.CreateObservableGauge("netautomation.loop.duration", Durations, "s", "How long a loop's last run took.");
    }

    private static KeyValuePair<string, object?> Of(Loop loop) => new("loop", loop.Name);

    private IEnumerable<Measurement<long>> Runs()
    {
        foreach (var loop in _loops.All)
        {
            var status = loop.Status;
            yield return new(status.Runs - status.Failures, Of(loop), new("outcome", "done"));
            yield return new(status.Failures, Of(loop), new("outcome", "failed"));
        }
    }

    private IEnumerable<Measurement<double>> Successes() => _loops.All.Where(loop => loop.Status.LastSuccess is not null)
        .Select(loop => new Measurement<double>(loop.Status.LastSuccess!.Value.ToUnixTimeMilliseconds() / 1000.0, Of(loop)));

    private IEnumerable<Measurement<double>> Durations() => _loops.All.Where(loop => loop.Status.Runs > 0)
        .Select(loop => new Measurement<double>(loop.Status.Took.TotalSeconds, Of(loop)));
}
