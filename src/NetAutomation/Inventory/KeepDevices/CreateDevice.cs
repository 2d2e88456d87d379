using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

internal static class CreateDevice
{
    /// <summary>Adds a device.</summary>
    internal static async Task<Results<Created<DeviceResource>, Problem>> Handle(
        CreateDeviceRequest body, Caller caller, NetAutomationDb db, DeviceCheck check, AuditLog audit, TimeProvider time, HttpContext http, CancellationToken cancel)
    {
        if ((await check.Check(body.Facts(), cancel)).Refused(out var refused, out var facts))
        {
            return refused;
        }

        var device = new Device { TenantId = caller.Tenant, Id = DeviceId.New(), CreatedAt = time.GetUtcNow() };
        device.Become(facts);
        db.Add(device);
        if (await db.Save(Problems.DeviceInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "device.created", $"{device.Id}", DeviceResource.Of(device), cancel);
        ETags.Show(http, device.Version);
        return TypedResults.Created($"/v1/devices/{device.Id}", DeviceResource.Of(device));
    }
}
