using Quartz;

namespace NetAutomation.Billing.Metering;

/// <summary>What Quartz runs every half minute.</summary>
[DisallowConcurrentExecution]
internal sealed class ReportHours(UsageReporting reporting) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await reporting.Report(cancellationToken);
}
