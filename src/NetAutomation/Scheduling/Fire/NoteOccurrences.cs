using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Scheduling.Keep;

namespace NetAutomation.Scheduling.Fire;

/// <summary>Writes down the occurrences of a schedule whose time has come, and moves the schedule on to its next one.</summary>
internal sealed class NoteOccurrences(NetAutomationDb db, TimeProvider clock)
{
    private const int MostNoted = 100;
    private const int MostWaiting = 10;

    // The loop runs every few seconds: an occurrence that is found later than this was missed.
    private static readonly TimeSpan _missed = TimeSpan.FromMinutes(1);

    public async Task Handle(TenantId tenant, ScheduleId id, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        var now = clock.GetUtcNow();
        var due = await db.Scalar<DateTimeOffset?>(
            $"""
            select next_at from scheduling.schedule
            where tenant_id = {tenant.Value} and id = {id.Value} and enabled and next_at <= {now} for update skip locked
            """,
            cancel);
        if (due is not { } first)
        {
            return;
        }

        var schedule = await db.Set<Schedule>().AsNoTracking().SingleAsync(each => each.Id == id, cancel);
        var passed = schedule.Times.After(first.AddTicks(-1)).TakeWhile(at => at <= now).TakeLast(MostNoted).ToList();
        var waiting = await db.Scalar<long>(
            $"select count(*) from scheduling.occurrence where tenant_id = {tenant.Value} and schedule_id = {id.Value} and state = 'due'",
            cancel);
        var codes = Codes(passed, now, schedule.Misfire, waiting);
        var times = passed.Select(at => at.UtcDateTime).ToArray();
        DateTimeOffset? next = schedule.Times.After(now).Select(at => (DateTimeOffset?)at).FirstOrDefault();
        await db.Execute(
            $"""
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state, code, eligible_at)
            select {tenant.Value}, {id.Value}, t, case when c = '' then 'due' else 'skipped' end, nullif(c, ''),
              case when c <> '' then {next}::timestamptz end
            from unnest({times}, {codes}) as o (t, c)
            on conflict do nothing
            """,
            cancel);
        await db.Execute($"update scheduling.schedule set next_at = {next} where tenant_id = {tenant.Value} and id = {id.Value}", cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>For each occurrence why it is skipped; empty where it is due.</summary>
    private static string[] Codes(List<DateTimeOffset> passed, DateTimeOffset now, MisfirePolicy misfire, long waiting)
    {
        var codes = new string[passed.Count];
        for (var i = 0; i < codes.Length; i++)
        {
            var missed = now - passed[i] > _missed && !(misfire == MisfirePolicy.Once && i == codes.Length - 1);
            codes[i] = missed ? "misfire" : waiting++ < MostWaiting ? "" : "queue_full";
        }

        return codes;
    }
}
