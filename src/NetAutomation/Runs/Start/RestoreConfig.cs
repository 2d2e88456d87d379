using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Start;

/// <summary>How to give a device a configuration that it had.</summary>
/// <param name="Mode">check, or apply where omitted.</param>
/// <param name="Guard">How the change goes back unless it holds; as usual where omitted. Not in a check.</param>
/// <param name="MaxPrice">Refused with 402 above this.</param>
/// <param name="StartBy">Not started by then: expired, and free.</param>
/// <param name="TimeoutSeconds">
/// Hard limit of the run, 10 to 86400. Where omitted 600, or as long as its guard may take. A check has 3600 at most.
/// </param>
/// <param name="Priority">Among your own queued runs, higher ones start first; 0 to 9, 0 where omitted.</param>
/// <param name="Labels">Your own words for it, up to 20.</param>
public sealed record RestoreConfigRequest(
    RunMode? Mode = null, Guard? Guard = null, Money? MaxPrice = null, DateTimeOffset? StartBy = null, int? TimeoutSeconds = null,
    int? Priority = null, Dictionary<string, string>? Labels = null);

internal static class RestoreConfig
{
    /// <summary>The slug of the block that does it.</summary>
    private const string Block = "config-restore";

    /// <summary>Starts a guarded run that gives the device this configuration of its history, or a check of that.</summary>
    public static async Task<Results<Accepted<RunView>, Problem>> Handle(
        DeviceId id, ConfigId configId, RestoreConfigRequest body, NetAutomationDb db, Caller caller, ConfigHistory history,
        RunLauncher launcher, CancellationToken cancel)
    {
        if ((await history.Owner(caller.Tenant, configId, cancel))?.DeviceId != id)
        {
            return Web.Problems.NotFound.With();
        }

        var mode = body.Mode ?? RunMode.Apply;
        var start = new StartRunRequest(
            Block, Mode: mode, Targets: new Targets(DeviceIds: [id]), Input: JsonSerializer.SerializeToElement(new { configId }, Json.Api),
            MaxPrice: body.MaxPrice, StartBy: body.StartBy, TimeoutSeconds: body.TimeoutSeconds,
            Guard: body.Guard ?? (mode == RunMode.Apply ? new Guard() : null), Labels: body.Labels, Priority: body.Priority);
        return (await launcher.Start(caller, start, null, cancel)).Refused(out var problem, out var run)
            ? problem
            : TypedResults.Accepted($"/v1/runs/{run}", (await RunView.Find(db, caller.Tenant, run, cancel))!);
    }
}
