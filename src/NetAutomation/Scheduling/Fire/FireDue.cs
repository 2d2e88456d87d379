using NetAutomation.Persistence;

namespace NetAutomation.Scheduling.Fire;

/// <summary>
/// Finds occurrences that are due and starts their runs. Any number of processes may do it at once, and any of them may die at any
/// point: an occurrence is written first, and its run starts in the transaction that records the start. Tenants take turns: no number of
/// schedules of one makes those of another late.
/// </summary>
internal sealed partial class FireDue(SystemDb system, IServiceScopeFactory scopes, TimeProvider clock, ILogger<FireDue> log)
{
    // What is due is read again after so many: one that becomes due meanwhile does not wait for all that were due before it.
    private const int OfRound = 50;
    private const int OfTenant = 5;

    // Of one tenant in a pass; what is left of its schedules waits for the next one.
    private static readonly TimeSpan _share = TimeSpan.FromSeconds(2);

    /// <summary>Writes down the occurrences whose time has come.</summary>
    public Task Note(CancellationToken cancel) => InTurns<NoteOccurrences>(
        $"""
        select s.tenant_id, s.id, s.next_at as since
        from scheduling.schedule s join onboarding.tenant t on t.tenant_id = s.tenant_id
        where s.enabled and s.next_at <= {clock.GetUtcNow()} and t.state = 'active'
        """,
        (notes, schedule) => notes.Handle(schedule.TenantId, schedule.Id, cancel), cancel);

    /// <summary>Starts the runs of occurrences that were written down.</summary>
    public Task Start(CancellationToken cancel) => InTurns<StartOccurrence>(
        $"""
        select s.tenant_id, s.id, min(o.at) as since
        from scheduling.occurrence o join scheduling.schedule s on s.tenant_id = o.tenant_id and s.id = o.schedule_id
          join onboarding.tenant t on t.tenant_id = s.tenant_id
        where o.state = 'due' and s.enabled and t.state = 'active' and not (s.overlap = 'queue' and exists (
          select from runs.run r where r.tenant_id = s.tenant_id and r.schedule_id = s.id and not r.terminal))
        group by s.tenant_id, s.id
        """,
        (start, schedule) => start.Handle(schedule.TenantId, schedule.Id, cancel), cancel);

    /// <summary>Each schedule once, a first one of every tenant before a second one of any.</summary>
    private async Task InTurns<T>(FormattableString due, Func<T, Row, Task> work, CancellationToken cancel)
        where T : notnull
    {
        var tried = new List<Guid>();
        var took = new Dictionary<TenantId, TimeSpan>();
        List<Row> round;
        do
        {
            Guid[] done = [.. tried];
            Guid[] over = [.. took.Where(each => each.Value >= _share).Select(each => each.Key.Value)];
            round = await system.Query<Row>(
                $"""
                select tenant_id, id from (
                  select tenant_id, id, since, row_number() over (partition by tenant_id order by since, id) as turn
                  from ({due}) due where id <> all ({done}) and tenant_id <> all ({over})) turns
                where turn <= {OfTenant} order by turn, since limit {OfRound}
                """,
                cancel);
            foreach (var schedule in round)
            {
                tried.Add(schedule.Id.Value);
                var spent = took.GetValueOrDefault(schedule.TenantId);
                if (spent < _share)
                {
                    var begun = clock.GetTimestamp();
                    await Try(schedule, work, cancel);
                    took[schedule.TenantId] = spent + clock.GetElapsedTime(begun);
                }
            }
        }
        while (round.Count > 0);
    }

    private async Task Try<T>(Row schedule, Func<T, Row, Task> work, CancellationToken cancel)
        where T : notnull
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            await work(scope.ServiceProvider.GetRequiredService<T>(), schedule);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            Log.Failed(log, schedule.Id, fault);
        }
    }

    private sealed record Row(TenantId TenantId, ScheduleId Id);

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Error, "Schedule {Schedule} failed to fire")]
        public static partial void Failed(ILogger logger, ScheduleId schedule, Exception exception);
    }
}
