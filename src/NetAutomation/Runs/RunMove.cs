using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>A change of state that this service makes. The legal ones are rows of <c>runs.legal_transition</c>.</summary>
internal sealed record RunMove(RunState To, params RunState[] From)
{
    public static readonly RunMove Start = new(RunState.Running, RunState.Claimed);
    public static readonly RunMove AskCancel = new(RunState.Cancelling, RunState.Running);
    public static readonly RunMove Cancel = new(RunState.Cancelled, RunState.Queued, RunState.Claimed);
    public static readonly RunMove Expire = new(RunState.Expired, RunState.Queued);
    public static readonly RunMove GiveUp = new(RunState.Unknown, RunState.Queued, RunState.Claimed);
    public static readonly RunMove GoOn = new(RunState.Queued, RunState.Running, RunState.Cancelling);
    public static readonly RunMove Succeed = new(RunState.Succeeded, RunState.Running, RunState.Cancelling);
    public static readonly RunMove Fail = new(RunState.Failed, RunState.Running, RunState.Cancelling);
    public static readonly RunMove FinishCancelled = new(RunState.Cancelled, RunState.Cancelling);
    public static readonly RunMove LeaveUnknown = new(RunState.Unknown, RunState.Running, RunState.Cancelling);
    public static readonly RunMove Resolve = new(RunState.Resolved, RunState.Unknown);

    /// <summary>False: the run is in another state, or the fence has moved on.</summary>
    /// <param name="fence">Null where not the worker of the run moves it.</param>
    public async Task<bool> Make(
        NetAutomationDb db, TenantId tenant, RunId run, long? fence, string by, CancellationToken cancel,
        string? reason = null, Money? charged = null, RunFailure? failure = null)
    {
        var (from, to) = (From.Select(Wire.Name).ToArray(), Wire.Name(To));
        return await db.Scalar<long?>(
            $"""
            select runs.move({tenant.Value}, {run.Value}, {fence}, {from}, {to}, {by}, {reason}, {charged?.Micros},
                             {failure?.Code}, {failure?.Detail}) as "Value"
            """,
            cancel) is not null;
    }
}
