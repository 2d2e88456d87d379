using System.Diagnostics.Metrics;

namespace NetAutomation.Billing.Metering;

/// <summary>Counts the answers to records, and shows how long usage waits.</summary>
internal sealed class MeteringMetrics
{
    public const string MeterName = "NetAutomation.Metering";
    private readonly Counter<long> _answers;
    private readonly Gauge<double> _waiting;

    public MeteringMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _answers = meter.CreateCounter<long>("netautomation.metering.answers", "{record}", "Usage records that AWS Marketplace answered.");
        _waiting =
            meter.CreateGauge<double>(
                "netautomation.metering.oldest_unreported", "s", "For how long the oldest usage waits to be reported.");
    }

    public void Answered(string outcome) => _answers.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void Waiting(TimeSpan oldest) => _waiting.Record(oldest.TotalSeconds);
}
