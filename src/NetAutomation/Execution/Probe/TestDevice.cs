using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Execution.Probe;

/// <summary>How far a connection to the device comes.</summary>
/// <param name="Reachable">Logged in.</param>
/// <param name="Stage">connector, allow_list, tcp, ssh or auth: the last one entered.</param>
/// <param name="Code">Stable code of what stopped it.</param>
/// <param name="RttMs">How long opening the connection took.</param>
/// <param name="HostKeySha256">The key the device showed; pinned by the first successful test.</param>
public sealed record DeviceTestView(bool Reachable, string Stage, string? Code, int? RttMs, string? HostKeySha256);

internal static class TestDevice
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(25);

    /// <summary>Logs in to the device through its site's connector. The first success pins the host key.</summary>
    public static async Task<Results<Ok<DeviceTestView>, Problem>> Handle(
        DeviceId id, NetAutomationDb db, Caller caller, DeviceAccess access, DeviceDialler dialler, ISandboxLauncher launcher,
        AuditLog audit, CancellationToken cancel)
    {
        DeviceLogin? device;
        await using (await db.Begin(caller.Tenant, cancel))
        {
            device = await access.Open(db, [id], cancel) is [var found] ? found : null;
        }

        if (device is null)
        {
            return Web.Problems.NotFound.With();
        }

        if (!await dialler.HasLink(caller.Tenant, device.SiteId, cancel))
        {
            return TypedResults.Ok(new DeviceTestView(false, "connector", DeviceCode.ConnectorAbsent, null, null));
        }

        var target = SandboxDevice.Of(device);
        device.Dispose();
        var dial = new DeviceDial(caller.Tenant, device.SiteId, id, device.Address, device.Port, null, 0, false);
        var probe = await launcher.Probe(target, (_, token) => DeviceStream.Open(dialler, dial, token), _limit, cancel);
        await Record(db, caller, audit, device, probe, cancel);
        return TypedResults.Ok(new DeviceTestView(probe.Reachable, Stage(probe), probe.Code, probe.RttMs, probe.HostKeySha256));
    }

    private static async Task Record(
        NetAutomationDb db, Caller caller, AuditLog audit, DeviceLogin device, ProbeResult probe, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(caller.Tenant, cancel);
        if (probe is { Reachable: true, HostKeySha256: { } sha256, HostKey: { } hostKey } && device.HostKey is null)
        {
            await DeviceAccess.PinHostKey(db, device.DeviceId, sha256, hostKey, cancel);
        }

        await audit.Append(
            caller, "device.tested", device.DeviceId.ToString(), new { probe.Reachable, Stage = Stage(probe), probe.Code }, cancel);
        await transaction.CommitAsync(cancel);
    }

    private static string Stage(ProbeResult probe) => probe.Code switch
    {
        DeviceCode.NotAllowed => "allow_list",
        DeviceCode.ConnectorAbsent => "connector",
        _ => probe.Stage,
    };
}
