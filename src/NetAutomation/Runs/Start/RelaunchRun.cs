using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Start;

/// <summary>Which devices of a finished run to try again.</summary>
/// <param name="Outcomes">Any of reverted, failed, unreachable, not_started and unknown.</param>
/// <param name="MaxPrice">Refused with 402 above this; that of the run where omitted.</param>
public sealed record RelaunchRunRequest(IReadOnlyList<DeviceOutcome> Outcomes, Money? MaxPrice = null);

internal static class RelaunchRun
{
    /// <summary>Starts a run again, as it was asked for, on the devices with these outcomes, at today's prices.</summary>
    public static async Task<Results<Accepted<RunView>, Problem>> Handle(
        RunId id, RelaunchRunRequest body, NetAutomationDb db, Caller caller, RunLauncher launcher, CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Web.Problems.NotFound.With();
        }

        if (!run.Terminal)
        {
            return Problems.RunNotFinished.With();
        }

        if (body.Outcomes.Count == 0 || body.Outcomes.Any(outcome => outcome.IsGood()))
        {
            return Web.Problems.Refused.At("/outcomes", "outcomes", "Any of reverted, failed, unreachable, not_started and unknown.");
        }

        var names = body.Outcomes.Select(Wire.Name).ToArray();
        var devices = await db.Query<DeviceId>(
            $"""
            select device_id from runs.run_device
            where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and outcome = any ({names}) order by position
            """,
            cancel);
        if (devices.Count == 0)
        {
            return Web.Problems.Refused.At("/outcomes", "no_targets", "No device of the run has such an outcome.");
        }

        var asked = (await db.Query<string>(
            $"select request from runs.run where tenant_id = {caller.Tenant.Value} and id = {id.Value}", cancel))[0];
        var again = StartRunRequest.Again(asked, run.Block, run.Version, run.Effect, run.Mode, devices, run.Input);
        // Its time to start has passed.
        again = again with { StartBy = null, MaxPrice = body.MaxPrice ?? again.MaxPrice };
        return (await launcher.Start(caller, again, new RunOrigin(RelaunchOf: id), cancel)).Refused(out var problem, out var relaunched)
            ? problem
            : TypedResults.Accepted($"/v1/runs/{relaunched}", (await RunView.Find(db, caller.Tenant, relaunched, cancel))!);
    }
}
