namespace NetAutomation.Connectors;

/// <summary>Asked before a stream is let through; the module that owns runs answers.</summary>
internal interface IDialGate
{
    /// <summary>
    /// By the database: true while the run is running and holds this device with this fence; outside a run, while no run that writes holds
    /// the device and the fence is one that was given.
    /// </summary>
    Task<bool> MayDial(DeviceDial dial, CancellationToken cancel);

    /// <summary>
    /// The fence of a dial outside a run: the tenant's highest, so that no connector has seen a higher one of the device, and every later
    /// run has one. Null while a run that writes holds the device.
    /// </summary>
    Task<long?> FenceOutsideRuns(TenantId tenant, DeviceId device, CancellationToken cancel);

    /// <summary>A connector has seen this fence: the tenant's counter must be above it (a restored database may be behind).</summary>
    Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel);
}

/// <summary>Without runs there is nothing to hold a device with: only shared probing passes.</summary>
internal sealed class ProbesOnly : IDialGate
{
    public Task<bool> MayDial(DeviceDial dial, CancellationToken cancel) => Task.FromResult(dial is { Run: null, Exclusive: false });

    public Task<long?> FenceOutsideRuns(TenantId tenant, DeviceId device, CancellationToken cancel) => Task.FromResult<long?>(0);

    public Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel) => Task.CompletedTask;
}
