using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

internal static class ChangeDevice
{
    /// <summary>Changes a device.</summary>
    internal static Task<Results<Ok<DeviceResource>, Problem>> Patch(
        DeviceId id, ChangeDeviceRequest body, [AsParameters] ResourceCall call, DeviceCheck check) =>
        DeviceResource.Rows.Change(call, id, async device =>
        {
            if ((await check.Check(body.Over(device), call.Cancel)).Refused(out var refused, out var facts))
            {
                return refused;
            }

            Device.Become(call.Db.Entry(device), facts);
            return new Changed(DeviceResource.Of(device));
        });

    /// <summary>Removes a device that no run holds. Its receipts stay.</summary>
    internal static Task<Results<NoContent, Problem>> Delete(DeviceId id, [AsParameters] ResourceCall call) =>
        DeviceResource.Rows.Delete(call, id);
}
