using NetAutomation.Persistence;

namespace NetAutomation.Scheduling.Fire;

/// <summary>
/// Finds occurrences that are due and starts their runs. Any number of processes may do it at once, and any of them may die at any
/// point: an occurrence is written first, and its run starts in the transaction that records the start.
/// </summary>
internal sealed partial class FireDue(SystemDb system, IServiceScopeFactory scopes, TimeProvider clock, ILogger<FireDue> log)
{
    public async Task Run(CancellationToken cancel)
    {
        await Each<NoteOccurrences>(
            $"""
            select s.tenant_id, s.id from scheduling.schedule s join onboarding.tenant t on t.tenant_id = s.tenant_id
            where s.enabled and s.next_at <= {clock.GetUtcNow()} and t.state = 'active' order by s.next_at limit 200
            """,
            (notes, schedule) => notes.Handle(schedule.TenantId, schedule.Id, cancel), cancel);
        await Each<StartOccurrence>(
            $"""
            select distinct s.tenant_id, s.id
            from scheduling.occurrence o join scheduling.schedule s on s.tenant_id = o.tenant_id and s.id = o.schedule_id
              join onboarding.tenant t on t.tenant_id = s.tenant_id
            where o.state = 'due' and s.enabled and t.state = 'active' and not (s.overlap = 'queue' and exists (
              select from runs.run r where r.tenant_id = s.tenant_id and r.schedule_id = s.id and not r.terminal))
            limit 200
            """,
            (start, schedule) => start.Handle(schedule.TenantId, schedule.Id, cancel), cancel);
    }

    private async Task Each<T>(FormattableString schedules, Func<T, Row, Task> work, CancellationToken cancel)
        where T : notnull
    {
        foreach (var schedule in await system.Query<Row>(schedules, cancel))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await work(scope.ServiceProvider.GetRequiredService<T>(), schedule);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                Log.Failed(log, schedule.Id, fault);
            }
        }
    }

    private sealed record Row(TenantId TenantId, ScheduleId Id);

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Error, "Schedule {Schedule} failed to fire")]
        public static partial void Failed(ILogger logger, ScheduleId schedule, Exception exception);
    }
}
