using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Cancel;

internal static class CancelRun
{
    /// <summary>
    /// Asks for a cancel. A run that has contacted no device is cancelled at once; a running one when no session is left on any device.
    /// Asking again is harmless.
    /// </summary>
    public static async Task<Results<Accepted<RunView>, Problem>> Handle(
        RunId id, NetAutomationDb db, Caller caller, RunEndings endings, RunSignals signals, AuditLog audit, CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Web.Problems.NotFound.With();
        }

        if (!await endings.Cancel(caller.Tenant, id, caller.MemberId.ToString(), cancel))
        {
            run = (await RunView.Find(db, caller.Tenant, id, cancel))!;
            if (run.Terminal || run.State == RunState.Unknown)
            {
                return Problems.RunFinished.With();
            }
        }

        await audit.Append(caller, "run.cancel_requested", id.ToString(), null, cancel);
        db.AfterCommit.Add(() => signals.RingNews(id));
        return TypedResults.Accepted($"/v1/runs/{id}", (await RunView.Find(db, caller.Tenant, id, cancel))!);
    }
}
