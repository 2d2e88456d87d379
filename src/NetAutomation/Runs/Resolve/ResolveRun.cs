using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Resolve;

/// <summary>What a person found out about an unknown run.</summary>
public enum RunVerdict
{
    /// <summary>The devices hold the change.</summary>
    Completed,

    /// <summary>The devices are as they were before.</summary>
    Reverted,

    /// <summary>Some of the change is there.</summary>
    Partial,

    /// <summary>Nobody will find out.</summary>
    Abandoned,
}

/// <summary>What one device was found to be.</summary>
/// <param name="DeviceId">A device of the run whose outcome is unknown.</param>
/// <param name="Outcome">ok, changed, failed, unreachable or not_started.</param>
public sealed record ResolvedDevice(DeviceId DeviceId, DeviceOutcome Outcome);

/// <summary>Decides an unknown run.</summary>
/// <param name="Verdict">What happened. Only with <c>completed</c> do the devices found ok or changed cost anything.</param>
/// <param name="Evidence">How it is known, 1 to 4,000 characters: a diff, a ticket, a name.</param>
/// <param name="Devices">What each unknown device was found to be; the others stay unknown.</param>
public sealed record ResolveRunRequest(RunVerdict Verdict, string Evidence, IReadOnlyList<ResolvedDevice>? Devices = null);

internal static class ResolveRun
{
    /// <summary>Ends an unknown run with a verdict and its evidence, settles it and releases its devices.</summary>
    public static async Task<Results<Ok<RunView>, Problem>> Handle(
        RunId id, ResolveRunRequest body, NetAutomationDb db, Caller caller, RunEndings endings, RunSignals signals, AuditLog audit,
        CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Web.Problems.NotFound.With();
        }

        if (run.State != RunState.Unknown)
        {
            return Problems.RunNotUnknown.With();
        }

        var unknown = await db.Query<DeviceId>(
            $"""
            select device_id from runs.run_device
            where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and outcome = {Wire.Name(DeviceOutcome.Unknown)}
            """,
            cancel);
        if (Faults(body, [.. unknown]) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The resolution does not fit the run.", faults);
        }

        var outcomes = (body.Devices ?? []).ToDictionary(device => device.DeviceId, device => device.Outcome);
        var resolution = JsonSerializer.Serialize(new { body.Verdict, body.Evidence, By = caller.MemberId, caller.Member }, Json.Api);
        if (!await endings.Resolve(
            caller.Tenant, id, outcomes, body.Verdict == RunVerdict.Completed, resolution, caller.MemberId.ToString(), cancel))
        {
            return Problems.RunNotUnknown.With();
        }

        await audit.Append(caller, "run.resolved", id.ToString(), body, cancel);
        db.AfterCommit.Add(signals.RingWork);
        db.AfterCommit.Add(() => signals.RingNews(id));
        return TypedResults.Ok((await RunView.Find(db, caller.Tenant, id, cancel))!);
    }

    private static List<ProblemError> Faults(ResolveRunRequest body, HashSet<DeviceId> unknown)
    {
        List<ProblemError> faults = [.. ShownText.TextFaults(body.Evidence, "/evidence", 4000)];
        var devices = body.Devices ?? [];
        for (var i = 0; i < devices.Count; i++)
        {
            if (!unknown.Remove(devices[i].DeviceId))
            {
                faults.Add(
                    new ProblemError(
                        $"/devices/{i}/deviceId", "not_unknown", "Not a device of this run whose outcome is unknown, or named twice."));
            }

            if (devices[i].Outcome == DeviceOutcome.Unknown)
            {
                faults.Add(new ProblemError($"/devices/{i}/outcome", "still_unknown", "Leave out a device that is still unknown."));
            }
        }

        return faults;
    }
}
