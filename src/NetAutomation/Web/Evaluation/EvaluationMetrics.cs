using System.Diagnostics.Metrics;

namespace NetAutomation.Web.Evaluation;

/// <summary>Shows what customers make the service compute, and what was ended because it cost too much.</summary>
internal sealed class EvaluationMetrics
{
    public const string MeterName = "NetAutomation.Evaluation";
    private readonly Counter<long> _steps;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _statements;

    public EvaluationMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _steps = meter.CreateCounter<long>(
            "netautomation.evaluation.steps", "{step}", "Steps of evaluations, to the last thousand of each.");
        _ended = meter.CreateCounter<long>(
            "netautomation.evaluation.ended", "{evaluation}", "Evaluations that were ended before their end.");
        _statements = meter.CreateCounter<long>(
            "netautomation.database.cancelled", "{statement}",
            "Statements of requests that the database ended after their longest time or wait for a lock.");
    }

    public void Counted(long steps) => _steps.Add(steps);

    /// <param name="reason">steps, time or abandoned.</param>
    public void Ended(string reason) => _ended.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void StatementCancelled() => _statements.Add(1);
}
