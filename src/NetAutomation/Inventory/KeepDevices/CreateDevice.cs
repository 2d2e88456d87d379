using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

internal static class CreateDevice
{
    /// <summary>Adds a device.</summary>
    internal static async Task<Results<Created<DeviceResource>, Problem>> Handle(
        CreateDeviceRequest body, [AsParameters] ResourceCall call, DeviceCheck check, TimeProvider clock)
    {
        if ((await check.Check(body.Facts(), call.Cancel)).Refused(out var refused, out var facts))
        {
            return refused;
        }

        var device = new Device(call.Caller.Tenant, facts, clock.GetUtcNow());
        return await DeviceResource.Rows.Create(call, device, DeviceResource.Of(device));
    }
}
