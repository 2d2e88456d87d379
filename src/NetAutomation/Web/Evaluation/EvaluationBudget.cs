namespace NetAutomation.Web.Evaluation;

/// <summary>
/// What one evaluation may cost: steps, of which it takes equally many everywhere, and time, for a place that is slow. For one thread.
/// </summary>
internal sealed class EvaluationBudget
{
    // Often enough that a caller who has left is noticed within a millisecond, seldom enough that looking costs nothing.
    private const int Apart = 1024;
    private readonly Evaluations _scope;
    private readonly CancellationToken _cancel;
    private readonly int _most;
    private readonly long _begun;
    private int _taken;
    private int _looked;

    internal EvaluationBudget(Evaluations scope, int most, CancellationToken cancel) =>
        (_scope, _most, _cancel, _begun) = (scope, most, cancel, scope.Clock.GetTimestamp());

    /// <summary>Counts steps that are about to be taken: a day that is looked at, a time that is made, a device that is compared.</summary>
    /// <exception cref="TooCostlyException">The steps or the time are used up.</exception>
    /// <exception cref="OperationCanceledException">Nobody waits for the result any more.</exception>
    public void Step(int steps = 1)
    {
        _taken += steps;
        if (_taken > _most || _taken - _looked >= Apart)
        {
            Look();
        }
    }

    private void Look()
    {
        _scope.Count(_taken - _looked);
        _looked = _taken;
        if (_cancel.IsCancellationRequested)
        {
            _scope.Metrics.Ended("abandoned");
            _cancel.ThrowIfCancellationRequested();
        }

        if (_taken > _most)
        {
            _scope.Metrics.Ended("steps");
            throw TooCostlyException.Of("evaluation_steps", _most, "steps");
        }

        if (_scope.Clock.GetElapsedTime(_begun) > Evaluations.Longest)
        {
            _scope.Metrics.Ended("time");
            throw TooCostlyException.Of("evaluation_seconds", (int)Evaluations.Longest.TotalSeconds, "seconds");
        }
    }
}
