using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Scheduling.Keep;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Scheduling.Fire;

/// <summary>Writes down the occurrences of a schedule whose time has come, and moves the schedule on to its next one.</summary>
internal sealed class NoteOccurrences(NetAutomationDb db, Evaluations evaluations, AuditLog audit, TimeProvider clock)
{
    private const int MostNoted = 100;
    private const int MostWaiting = 10;

    // The loop runs every few seconds: an occurrence that is found later than this was missed.
    private static readonly TimeSpan _missed = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _look = TimeSpan.FromHours(2);

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
        List<DateTimeOffset> passed;
        DateTimeOffset? next;
        try
        {
            var (times, budget) = (schedule.Times, evaluations.Begin(cancel));
            passed = Passed(times, first, now, budget);
            next = times.After(now, budget).Select(at => (DateTimeOffset?)at).FirstOrDefault();
        }
        catch (TooCostlyException costly)
        {
            await PutAside(schedule, first, $"{costly.Message} to find its next occurrence: change its rule.", cancel);
            await transaction.CommitAsync(cancel);
            return;
        }

        var waiting = await db.Scalar<long>(
            $"select count(*) from scheduling.occurrence where tenant_id = {tenant.Value} and schedule_id = {id.Value} and state = 'due'",
            cancel);
        var codes = Codes(passed, now, schedule.Misfire, waiting);
        var noted = passed.Select(at => at.UtcDateTime).ToArray();
        await db.Execute(
            $"""
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state, code, eligible_at)
            select {tenant.Value}, {id.Value}, t, case when c = '' then 'due' else 'skipped' end, nullif(c, ''),
              case when c <> '' then {next}::timestamptz end
            from unnest({noted}, {codes}) as o (t, c)
            on conflict do nothing
            """,
            cancel);
        await db.Execute($"update scheduling.schedule set next_at = {next} where tenant_id = {tenant.Value} and id = {id.Value}", cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>
    /// The last occurrences from the first that is due until now. They are looked for from the end: after a long time without a scheduler
    /// there are many more than are noted.
    /// </summary>
    private static List<DateTimeOffset> Passed(Recurrence times, DateTimeOffset first, DateTimeOffset now, EvaluationBudget budget)
    {
        var span = _look;
        while (true)
        {
            var from = now - span > first ? now - span : first;
            var found = times.After(from.AddTicks(-1), budget).TakeWhile(at => at <= now).TakeLast(MostNoted).ToList();
            if (found.Count == MostNoted || from == first)
            {
                return found;
            }

            span *= 8;
        }
    }

    /// <summary>The schedule has no next occurrence until it is changed; its occurrence says why.</summary>
    private async Task PutAside(Schedule schedule, DateTimeOffset due, string detail, CancellationToken cancel)
    {
        var (tenant, id) = (schedule.TenantId.Value, schedule.Id.Value);
        await db.Execute(
            $"""
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state, code, detail)
            values ({tenant}, {id}, {due}, 'skipped', {Web.Problems.TooCostly.Code}, {detail}) on conflict do nothing
            """,
            cancel);
        await db.Execute($"update scheduling.schedule set next_at = null where tenant_id = {tenant} and id = {id}", cancel);
        await audit.Append(
            schedule.TenantId, $"{schedule.Id}", schedule.Member, null, "schedule.put_aside", $"{schedule.Id}",
            new { occurrence = due, detail }, cancel);
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
