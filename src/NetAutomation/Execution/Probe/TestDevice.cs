using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Web;

namespace NetAutomation.Execution.Probe;

/// <summary>How far a connection to the device comes.</summary>
/// <param name="Reachable">Logged in.</param>
/// <param name="Stage">connector, allow_list, tcp, ssh or auth: the last one entered; null where nothing was tried.</param>
/// <param name="Code">Stable code of what stopped it.</param>
/// <param name="RttMs">How long opening the connection took.</param>
/// <param name="HostKeySha256">The key the device showed; pinned by the first successful test.</param>
/// <param name="Message">What stopped it, and what helps.</param>
public sealed record DeviceTestView(bool Reachable, string? Stage, string? Code, int? RttMs, string? HostKeySha256, string? Message);

internal static class TestDevice
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(40);

    /// <summary>
    /// Logs in to the device through its site's connector. The first success pins the host key. Refused while a run that writes holds the
    /// device.
    /// </summary>
    public static async Task<Results<Ok<DeviceTestView>, Problem>> Handle(
        DeviceId id, Caller caller, DeviceTester tester, TestTurns turns, CancellationToken cancel)
    {
        using var turn = await turns.Enter(caller.Tenant, cancel);
        var by = new Tester(caller.Tenant, $"{caller.MemberId}", caller.Member, caller.EndpointId);
        var tested = (await tester.Test(by, [id], alone: true, _limit, cancel))[0];
        return tested switch
        {
            { Code: DeviceCode.DeviceDeleted } => Web.Problems.NotFound.With(),
            { Code: DeviceCode.DeviceInUse } => Inventory.Problems.DeviceInUse.With(
                tested.Holder is { } run ? $"Run {run} has the device until it ends or, where it is unknown, is resolved." : null),
            _ => TypedResults.Ok(new DeviceTestView(
                tested.Reachable, tested.Stage, tested.Code, tested.RttMs, tested.HostKeySha256, tested.Message)),
        };
    }
}
