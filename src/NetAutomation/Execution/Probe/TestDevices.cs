using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Execution.Probe;

/// <summary>Devices to log in to.</summary>
/// <param name="Targets">Which devices. A disabled one is no fault: it gets a code.</param>
public sealed record TestDevicesRequest(Targets Targets);

internal static class TestDevices
{
    private static readonly TimeSpan _longest = TimeSpan.FromHours(2);
    private static readonly TimeSpan _look = TimeSpan.FromSeconds(1);
    private static readonly Task _never = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously).Task;

    /// <summary>
    /// Tests up to 10,000 devices, some at a time, each as the test of one device does: the first success pins the host key. Follow it by
    /// GET /v1/device-tests/{id}.
    /// </summary>
    public static async Task<Results<Accepted<DevicesTestView>, Problem>> Start(
        TestDevicesRequest body, NetAutomationDb db, Caller caller, Evaluations evaluations, AuditLog audit, CancellationToken cancel)
    {
        if ((await TargetResolver.Resolve(db, evaluations, body.Targets, disabledToo: true, cancel))
            .Refused(out var refused, out var devices))
        {
            return refused;
        }

        // Two at once must not both take the last place.
        db.SendWithNext($"select web.take({caller.Tenant.Value}, 'device_tests', 0)");
        db.SendWithNext(
            $"""
            select web.refuse_above({caller.Tenant.Value}, 'device_tests', count(*), 1)
            from execution.device_test where tenant_id = {caller.Tenant.Value} and finished_at is null
            """);
        var id = DeviceTestId.New();
        Insert(db, caller, id, body.Targets, devices);
        await audit.Append(caller, "device_test.started", $"{id}", new { Devices = devices.Length }, cancel);
        return (await DevicesTestView.Find(db, caller.Tenant, id, new PageQuery(), cancel)).Refused(out var problem, out var view)
            ? problem : TypedResults.Accepted($"/v1/device-tests/{id}", view);
    }

    /// <summary>A test of devices with a page of its results; with <c>wait</c>, the answer comes when it is over or the time is.</summary>
    public static async Task<Results<Ok<DevicesTestView>, Problem>> Follow(
        DeviceTestId id, NetAutomationDb db, Caller caller, RunSignals signals, TimeProvider clock, [AsParameters] PageQuery page,
        [AsParameters] WaitQuery wait,
        [Description("Only devices that are tested and were reached (true), or were not (false).")] bool? reachable,
        CancellationToken cancel)
    {
        if (wait.Read().Refused(out var outOfRange, out var patience))
        {
            return outOfRange;
        }

        var until = clock.GetUtcNow() + patience;
        while (true)
        {
            if ((await DevicesTestView.Find(db, caller.Tenant, id, page, cancel, reachable)).Refused(out var problem, out var view))
            {
                return problem;
            }

            if (view.State == DeviceTestState.Finished || signals.Leaving || clock.GetUtcNow() >= until)
            {
                return TypedResults.Ok(view);
            }

            await signals.Wait(_never, _look, clock, cancel);
        }
    }

    private static void Insert(NetAutomationDb db, Caller caller, DeviceTestId id, Targets targets, TargetDevice[] devices)
    {
        var (tenant, asked) = (caller.Tenant.Value, JsonSerializer.Serialize(targets, Json.Api));
        db.SendWithNext(
            $"""
            insert into execution.device_test (tenant_id, id, targets, created_by, member, endpoint_id, ends_by)
            values ({tenant}, {id.Value}, {asked}::jsonb, {caller.MemberId.Value}, {caller.Member}, {caller.EndpointId}, now() + {_longest})
            """);
        Guid[] ids = [.. devices.Select(device => device.DeviceId.Value)];
        string[] names = [.. devices.Select(device => device.Name)];
        db.SendWithNext(
            $"""
            insert into execution.device_test_result (tenant_id, test_id, device_id, name)
            select {tenant}, {id.Value}, d, n from unnest({ids}, {names}) as t (d, n)
            """);
    }
}
