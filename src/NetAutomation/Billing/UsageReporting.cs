using System.Runtime.ExceptionServices;
using NetAutomation.Billing.Metering;

namespace NetAutomation.Billing;

/// <summary>Reports to AWS Marketplace the usage that settles there. Any number of processes may do it at any time.</summary>
internal sealed class UsageReporting(SealUsage seal, SendUsage send, WatchUsage watch)
{
    /// <summary>Sends sealed records, then seals and sends what is due, ended agreements first. A step that fails stops no other.</summary>
    public async Task Report(CancellationToken cancel)
    {
        Exception? first = null;
        await Try(() => send.Run(cancel));
        await Try(() => SealAndSend(closedOnly: true));
        await Try(() => SealAndSend(closedOnly: false));
        await Try(() => watch.Run(cancel));
        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }

        async Task SealAndSend(bool closedOnly)
        {
            if (await seal.Run(closedOnly, cancel))
            {
                await send.Run(cancel);
            }
        }

        async Task Try(Func<Task> step)
        {
            try
            {
                await step();
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                first ??= fault;
            }
        }
    }
}
