using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Runs;
using NetAutomation.Tunnel;

namespace NetAutomation.Execution;

/// <summary>Opens streams to devices and names what went wrong in the API's codes.</summary>
internal static class DeviceStream
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public static Task<Stream?> Open(DeviceDialler dialler, ClaimedRun run, DeviceLogin device, CancellationToken cancel) =>
        Open(dialler, new DeviceDial(run.Tenant, device.SiteId, device.DeviceId, device.Address, device.Port, run.Id, run.Fence, run.Exclusive), cancel);

    public static async Task<Stream?> Open(DeviceDialler dialler, DeviceDial dial, CancellationToken cancel)
    {
        var result = await dialler.Dial(dial, Timeout, cancel);
        return result.Stream ?? throw new DialRefusedException(Code(result.Code!), result.Detail ?? result.Code!);
    }

    private static string Code(string dialCode) => dialCode switch
    {
        DialCodes.NotAllowed => DeviceCode.NotAllowed,
        DialCodes.Fenced => DeviceCode.StaleFence,
        DialCodes.Timeout => DeviceCode.ConnectTimeout,
        DialCodes.Refused => DeviceCode.ConnectRefused,
        DialCodes.Unreachable or DialCodes.Dns => DeviceCode.Unreachable,
        DialCodes.ConnectorAbsent or DialCodes.NotAttached or DialCodes.LinkLost or DialCodes.NoReplica => DeviceCode.ConnectorAbsent,
        _ => DeviceCode.ConnectionClosed,
    };
}
