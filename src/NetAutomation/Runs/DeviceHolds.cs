using NetAutomation.Persistence;

namespace NetAutomation.Runs;

/// <summary>What runs hold.</summary>
internal static class DeviceHolds
{
    /// <summary>
    /// Those of the devices that a run which writes has for itself: until it ends or, where it is unknown, until it is resolved.
    /// </summary>
    public static async Task<IReadOnlyDictionary<DeviceId, RunId>> Writers(
        NetAutomationDb db, TenantId tenant, IEnumerable<DeviceId> devices, CancellationToken cancel)
    {
        Guid[] ids = [.. devices.Select(device => device.Value)];
        var holds = await db.QueryAs<Hold>(
            tenant,
            $"""
            select device_id, run_id from runs.device_hold
            where tenant_id = {tenant.Value} and device_id = any ({ids}) and exclusive = 1
            """,
            cancel);
        return holds.ToDictionary(hold => hold.DeviceId, hold => hold.RunId);
    }

    private sealed record Hold(DeviceId DeviceId, RunId RunId);
}
