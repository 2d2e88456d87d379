namespace NetAutomation.Connectors;

/// <summary>Asked before a stream is let through; the module that owns runs answers.</summary>
internal interface IDialGate
{
    /// <summary>True while the run is running and holds this device with this fence, by the database.</summary>
    Task<bool> MayDial(DeviceDial dial, CancellationToken cancel);

    /// <summary>A connector has seen this fence: the tenant's counter must be above it (a restored database may be behind).</summary>
    Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel);
}

/// <summary>Without runs there is nothing to hold a device with: only shared probing passes.</summary>
internal sealed class ProbesOnly : IDialGate
{
    public Task<bool> MayDial(DeviceDial dial, CancellationToken cancel) => Task.FromResult(dial is { Run: null, Exclusive: false });

    public Task FenceSeen(TenantId tenant, long fence, CancellationToken cancel) => Task.CompletedTask;
}
