namespace NetAutomation.Web.Evaluation;

/// <summary>
/// Everything that is evaluated for one request, or in one scope of a loop: recurrences and what follows from them. The sizes of all
/// budgets stand here.
/// </summary>
internal sealed class Evaluations(EvaluationMetrics metrics, TimeProvider clock)
{
    /// <summary>Steps of one request, or of one schedule or window in a loop: some 50 ms of a processor.</summary>
    public const int RequestSteps = 250_000;

    /// <summary>Steps in which the next <see cref="Occurrences"/> of a rule must be found for the rule to be stored.</summary>
    public const int RuleSteps = 100_000;

    /// <summary>Occurrences of a rule that are looked for before it is stored.</summary>
    public const int Occurrences = 10;

    /// <summary>The time of one request, however few its steps are.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>Steps taken in this scope so far, to the last thousand.</summary>
    public long Spent { get; private set; }

    /// <summary>The time that they took.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>What is evaluated for one request has one budget together; in a loop, each schedule and window has its own.</summary>
    public bool OfRequest => Charge is not null;

    /// <summary>
    /// Charges steps, a thousand or so at a time, to the rate of the tenant whose request they are for; null where it had them left. Loops
    /// charge nobody.
    /// </summary>
    public Func<long, Problem?>? Charge { get; set; }

    internal EvaluationMetrics Metrics { get; } = metrics;

    internal TimeProvider Clock { get; } = clock;

    /// <summary>A budget: of a request, what it has left of its one.</summary>
    /// <param name="cancel">Ends the evaluation: of a request, when its caller has left.</param>
    public EvaluationBudget Begin(CancellationToken cancel) =>
        new(this, "request_steps", RequestSteps, cancel, OfRequest ? Spent : 0, OfRequest ? Time : default);

    /// <summary>A budget for a rule that is to be stored.</summary>
    public EvaluationBudget BeginRule(CancellationToken cancel) => new(this, "rule_steps", RuleSteps, cancel);

    internal void Count(long steps, TimeSpan time)
    {
        Spent += steps;
        Time += time;
        Metrics.Counted(steps);
        if (Charge?.Invoke(steps) is { } refused)
        {
            throw new RateLimitedException(refused);
        }
    }
}
