namespace NetAutomation.Web.Evaluation;

/// <summary>
/// Everything that is evaluated for one request, or in one scope of a loop: recurrences and what follows from them. The sizes of all
/// budgets stand here.
/// </summary>
internal sealed class Evaluations(EvaluationMetrics metrics, TimeProvider clock)
{
    /// <summary>Steps of one answer, or of one schedule or window in a loop: some 50 ms of a processor.</summary>
    public const int Most = 250_000;

    /// <summary>Steps in which the next <see cref="Occurrences"/> of a rule must be found for the rule to be stored.</summary>
    public const int MostOfRule = 100_000;

    /// <summary>Occurrences of a rule that are looked for before it is stored.</summary>
    public const int Occurrences = 10;

    /// <summary>The time of one answer, however few its steps are.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>Steps taken in this scope so far, to the last thousand.</summary>
    public long Spent { get; private set; }

    /// <summary>
    /// Charges steps, a thousand or so at a time, to the rate of the tenant whose request they are for; null where it had them left. Loops
    /// charge nobody.
    /// </summary>
    public Func<long, Problem?>? Charge { private get; set; }

    internal EvaluationMetrics Metrics { get; } = metrics;

    internal TimeProvider Clock { get; } = clock;

    /// <summary>A budget whose time begins now.</summary>
    /// <param name="cancel">Ends the evaluation: of a request, when its caller has left.</param>
    public EvaluationBudget Begin(CancellationToken cancel, int most = Most) => new(this, most, cancel);

    internal void Count(int steps)
    {
        Spent += steps;
        Metrics.Counted(steps);
        if (Charge?.Invoke(steps) is { } refused)
        {
            throw new RateLimitedException(refused);
        }
    }
}
