using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Start;

internal static class StartRun
{
    /// <summary>Starts a run: quote, money and place in the queue in one transaction.</summary>
    public static async Task<Results<Accepted<RunView>, Problem>> Handle(
        StartRunRequest body, NetAutomationDb db, Caller caller, RunLauncher launcher, CancellationToken cancel) =>
        (await launcher.Start(caller, body, null, cancel)).Refused(out var problem, out var run)
            ? problem
            : TypedResults.Accepted($"/v1/runs/{run}", (await RunView.Find(db, caller.Tenant, run, cancel))!);
}
