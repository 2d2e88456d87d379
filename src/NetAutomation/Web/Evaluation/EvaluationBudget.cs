namespace NetAutomation.Web.Evaluation;

/// <summary>
/// What one evaluation may cost: steps, of which it takes equally many everywhere, and time, for a place that is slow. For one thread.
/// </summary>
/// <param name="limit">The name of the steps, as a refusal shows it.</param>
/// <param name="most">How many there are.</param>
/// <param name="taken">Those that are taken already.</param>
/// <param name="time">The time that is taken already. More of it begins now.</param>
internal sealed class EvaluationBudget(
    Evaluations scope, string limit, int most, CancellationToken cancel, long taken = 0, TimeSpan time = default)
{
    // Often enough that a caller who has left is noticed within a millisecond, seldom enough that looking costs nothing.
    private const int Apart = 1024;
    private long _taken = taken;
    private long _looked = taken;
    private TimeSpan _time = time;
    private long _since = scope.Clock.GetTimestamp();

    /// <summary>Counts steps that are about to be taken: a day that is looked at, a time that is made, a device that is compared.</summary>
    /// <exception cref="TooCostlyException">The steps or the time are used up.</exception>
    /// <exception cref="OperationCanceledException">Nobody waits for the result any more.</exception>
    public void Step(int steps = 1)
    {
        _taken += steps;
        if (_taken > most || _taken - _looked >= Apart)
        {
            Look();
        }
    }

    private void Look()
    {
        var (steps, passed, now) = (_taken - _looked, scope.Clock.GetElapsedTime(_since), scope.Clock.GetTimestamp());
        (_looked, _time, _since) = (_taken, _time + passed, now);
        scope.Count(steps, passed);
        if (cancel.IsCancellationRequested)
        {
            scope.Metrics.Ended("abandoned");
            cancel.ThrowIfCancellationRequested();
        }

        if (_taken > most)
        {
            scope.Metrics.Ended("steps");
            throw TooCostlyException.Of(limit, most, "steps");
        }

        if (_time > Evaluations.Longest)
        {
            scope.Metrics.Ended("time");
            throw TooCostlyException.Of("evaluation_seconds", (int)Evaluations.Longest.TotalSeconds, "seconds");
        }
    }
}
