using NetAutomation.Billing.Metering;

namespace NetAutomation.Billing;

/// <summary>What settles at AWS Marketplace is reported there. Each method may be called at any time, by any number of processes (Billing/README.md).</summary>
internal sealed class UsageReporting(SealUsage seal, SendUsage send, WatchUsage watch)
{
    /// <summary>Freezes the hours that have closed.</summary>
    public Task Seal(CancellationToken cancel) => seal.Run(closedOnly: false, cancel);

    /// <summary>Sends what is frozen, and what an ended agreement still owes.</summary>
    public async Task Report(CancellationToken cancel)
    {
        await watch.Run(cancel);
        await seal.Run(closedOnly: true, cancel);
        await send.Run(cancel);
    }
}
