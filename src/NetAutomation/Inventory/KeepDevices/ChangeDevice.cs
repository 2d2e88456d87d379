using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

internal static class ChangeDevice
{
    /// <summary>Changes a device.</summary>
    internal static async Task<Results<Ok<DeviceResource>, Problem>> Patch(
        DeviceId id, ChangeDeviceRequest body, Caller caller, NetAutomationDb db, DeviceCheck check, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Device>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } device)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, device.Version) is { } stale)
        {
            return stale;
        }

        if ((await check.Check(body.Over(device.Facts()), cancel)).Refused(out var refused, out var facts))
        {
            return refused;
        }

        if (device.Become(facts))
        {
            if (await db.Save(Problems.DeviceInUse, cancel) is { } problem)
            {
                return problem;
            }

            await audit.Append(caller, "device.changed", $"{id}", DeviceResource.Of(device), cancel);
        }

        ETags.Show(http, device.Version);
        return TypedResults.Ok(DeviceResource.Of(device));
    }

    /// <summary>Removes a device that no run holds. Its receipts stay.</summary>
    internal static async Task<Results<NoContent, Problem>> Delete(
        DeviceId id, Caller caller, NetAutomationDb db, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Device>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } device)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, device.Version) is { } stale)
        {
            return stale;
        }

        db.Remove(device);
        if (await db.Save(Problems.DeviceInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "device.deleted", $"{id}", new { device.Name }, cancel);
        return TypedResults.NoContent();
    }
}
