using Quartz;

namespace NetAutomation.Billing.Metering;

/// <summary>What Quartz runs at the fifth minute of every hour.</summary>
[DisallowConcurrentExecution]
internal sealed class SealHours(UsageReporting reporting) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await reporting.Seal(cancellationToken);
}

/// <summary>What Quartz runs every half minute.</summary>
[DisallowConcurrentExecution]
internal sealed class ReportHours(UsageReporting reporting) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await reporting.Report(cancellationToken);
}
