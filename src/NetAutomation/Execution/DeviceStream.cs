using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Runs;
using NetAutomation.Tunnel;

namespace NetAutomation.Execution;

/// <summary>Opens streams to devices, and names faults by the API's codes.</summary>
internal static class DeviceStream
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    // A connector that lost its replica attaches to another within seconds.
    private static readonly TimeSpan _reattaching = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(300);

    /// <summary>A device of a run.</summary>
    public static Task<Stream?> Open(
        DeviceDialler dialler, ClaimedRun run, DeviceLogin device, TimeProvider clock, CancellationToken cancel) =>
        Open(
            dialler,
            new DeviceDial(run.Tenant, device.SiteId, device.DeviceId, device.Address, device.Port, run.Id, run.Fence, run.Exclusive),
            clock, cancel);

    /// <summary>While the device's connector changes from one replica to another, or is busy, the dial waits.</summary>
    public static async Task<Stream?> Open(DeviceDialler dialler, DeviceDial dial, TimeProvider clock, CancellationToken cancel)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            var result = await dialler.Dial(dial, _timeout, cancel);
            if (result.Stream is not null || !DialCodes.AnotherLinkMayServe(result.Code!) || clock.GetElapsedTime(started) > _reattaching)
            {
                return Opened(result);
            }

            await Task.Delay(_pause, clock, cancel);
        }
    }

    private static TunnelStream Opened(DialResult result) => result.Stream
        ?? throw new DialRefusedException(Code(result.Code!), result.Detail ?? result.Code!);

    private static string Code(string dialCode) => dialCode switch
    {
        DialCodes.NotAllowed => DeviceCode.NotAllowed,
        DialCodes.Fenced => DeviceCode.StaleFence,
        DialCodes.Held => DeviceCode.DeviceInUse,
        DialCodes.Timeout => DeviceCode.ConnectTimeout,
        DialCodes.Refused => DeviceCode.ConnectRefused,
        DialCodes.Unreachable or DialCodes.Dns => DeviceCode.Unreachable,
        DialCodes.ConnectorAbsent or DialCodes.NotAttached or DialCodes.LinkLost or DialCodes.NoReplica => DeviceCode.ConnectorAbsent,
        _ => DeviceCode.ConnectionClosed,
    };
}
