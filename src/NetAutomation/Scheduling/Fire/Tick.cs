using Quartz;

namespace NetAutomation.Scheduling.Fire;

/// <summary>What Quartz runs every few seconds, on one process of the cluster at a time.</summary>
[DisallowConcurrentExecution]
internal sealed class Tick(FireDue due) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await due.Run(cancellationToken);
}
