using NetAutomation.Web;

namespace NetAutomation.Runs;

internal static class Problems
{
    public static readonly ProblemType QuoteExpired = new("quote_expired", 409, "The quote has expired");
    public static readonly ProblemType QuoteUsed = new("quote_used", 409, "The quote already started a run");
    public static readonly ProblemType QuoteDrift = new("quote_drift", 409, "The plan differs from the quote");
    public static readonly ProblemType PlanExpired = new("plan_expired", 409, "The plan has expired");
    public static readonly ProblemType PlanUsed = new("plan_used", 409, "The plan was already applied");
    public static readonly ProblemType PlanNotReady = new("plan_not_ready", 409, "The plan is not in a state for this: see its state");
    public static readonly ProblemType PlanDrift = new("plan_drift", 409, "What was planned cannot be applied as it was planned");
    public static readonly ProblemType ApprovalRequired =
        new("approval_required", 403, "The change policy asks for a plan, or a schedule, that another member has approved");
    public static readonly ProblemType OwnPlan = new("own_plan", 403, "Another member than the author approves");
    public static readonly ProblemType RunFinished = new("run_finished", 409, "The run has finished");
    public static readonly ProblemType RunNotFinished = new("run_not_finished", 409, "The run has not finished");
    public static readonly ProblemType RunNotUnknown = new("run_not_unknown", 409, "Only an unknown run is resolved");
    public static readonly ProblemType GuardNotApplicable =
        new("guard_not_applicable", 422, "A guard is for changes that the engine itself types, and a transactional block needs one");
    public static readonly ProblemType TimerTooShort = new("timer_too_short", 422, "The timer ends before a wave can be confirmed");
    public static readonly ProblemType ModeNotSupported = new("mode_not_supported", 422, "The block does not have this mode");
    public static readonly ProblemType WindowNameTaken = new("window_name_taken", 409, "Another window has this name");
    public static readonly ProblemType EventsDropped = new("events_dropped", 410, "The events were dropped by retention");

    /// <summary>The refusal of an approval by the author.</summary>
    /// <param name="what">A plan or a schedule.</param>
    public static Problem Own(string what, Caller caller) => OwnPlan.With(
        $"The author of the {what} is {caller.Member}, and so is this key: a key counts as the member that it belongs to, whoever uses it. "
        + "Another member approves, with a key of its own.");
}
