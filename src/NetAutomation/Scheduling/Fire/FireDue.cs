using NetAutomation.Persistence;

namespace NetAutomation.Scheduling.Fire;

/// <summary>
/// Finds occurrences that are due and starts their runs. Any number of processes may do it at once, and any of them may die anywhere:
/// an occurrence is a row first, and its run starts in the transaction that says so.
/// </summary>
internal sealed partial class FireDue(IServiceScopeFactory scopes, TimeProvider clock, ILogger<FireDue> log)
{
    public async Task Run(CancellationToken cancel)
    {
        foreach (var due in await Due(cancel))
        {
            await Each(
                due, (services, stop) =>
                    services.GetRequiredService<NoteOccurrences>().Handle(new TenantId(due.TenantId), new ScheduleId(due.Id), stop),
                    cancel);
        }

        foreach (var waiting in await Waiting(cancel))
        {
            await Each(
                waiting,
                (services, stop) =>
                    services.GetRequiredService<StartOccurrence>().Handle(new TenantId(waiting.TenantId), new ScheduleId(waiting.Id), stop),
                    cancel);
        }
    }

    private async Task Each(Row row, Func<IServiceProvider, CancellationToken, Task> work, CancellationToken cancel)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            await work(scope.ServiceProvider, cancel);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            Log.Failed(log, new ScheduleId(row.Id), fault);
        }
    }

    private Task<List<Row>> Due(CancellationToken cancel) => Read(
        $"""
        select s.tenant_id, s.id from scheduling.schedule s join onboarding.tenant t on t.tenant_id = s.tenant_id
        where s.enabled and s.next_at <= {clock.GetUtcNow()} and t.state = 'active' order by s.next_at limit 200
        """,
        cancel);

    private Task<List<Row>> Waiting(CancellationToken cancel) => Read(
        $"""
        select distinct s.tenant_id, s.id from scheduling.occurrence o join scheduling.schedule s on s.tenant_id = o.tenant_id and s.id = o.schedule_id
        join onboarding.tenant t on t.tenant_id = s.tenant_id
        where o.state = 'due' and s.enabled and t.state = 'active' and not (s.overlap = 'queue' and exists (
          select from runs.run r where r.tenant_id = s.tenant_id and r.schedule_id = s.id and not r.terminal))
        limit 200
        """,
        cancel);

    private async Task<List<Row>> Read(FormattableString sql, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<Row>(sql, cancel);
    }

    private sealed record Row(Guid TenantId, Guid Id);

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Error, "Schedule {Schedule} failed to fire")]
        public static partial void Failed(ILogger logger, ScheduleId schedule, Exception exception);
    }
}
