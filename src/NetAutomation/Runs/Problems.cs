using NetAutomation.Web;

namespace NetAutomation.Runs;

internal static class Problems
{
    public static readonly ProblemType QuoteExpired = new("quote_expired", 409, "The quote has expired");
    public static readonly ProblemType QuoteUsed = new("quote_used", 409, "The quote already started a run");
    public static readonly ProblemType QuoteDrift = new("quote_drift", 409, "The plan differs from the quote");
    public static readonly ProblemType RunFinished = new("run_finished", 409, "The run has finished");
    public static readonly ProblemType RunNotFinished = new("run_not_finished", 409, "The run has not finished");
    public static readonly ProblemType RunNotUnknown = new("run_not_unknown", 409, "Only an unknown run is resolved");
    public static readonly ProblemType ModeNotSupported = new("mode_not_supported", 422, "The block does not have this mode");
    public static readonly ProblemType WindowNameTaken = new("window_name_taken", 409, "Another window has this name");
    public static readonly ProblemType EventsDropped = new("events_dropped", 410, "The events were dropped by retention");
}
