using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>The SSH host key that a device has to show from now on.</summary>
/// <param name="HostKeySha256">In OpenSSH's form <c>SHA256:…</c>, as <c>ssh-keygen -l</c> shows it.</param>
public sealed record PinDeviceRequest(string HostKeySha256);

internal static class PinDevice
{
    /// <summary>Pins the SSH host key of a device, in place of an earlier one. Refused while a run that writes holds the device.</summary>
    internal static Task<Results<Ok<DeviceResource>, Problem>> Handle(
        DeviceId id, PinDeviceRequest body, [AsParameters] ResourceCall call, DeviceCheck check) =>
        DeviceResource.Rows.Change(call, id, async device =>
        {
            var pinned = new ChangeDeviceRequest().Over(device) with { HostKeySha256 = body.HostKeySha256 };
            if ((await check.Check(pinned, call.Cancel)).Refused(out var refused, out var facts))
            {
                return refused;
            }

            Device.Become(call.Db.Entry(device), facts);
            return new Changed(new { body.HostKeySha256 }, "device.pinned");
        });
}
