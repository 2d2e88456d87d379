using NetAutomation.Persistence;

namespace NetAutomation.Scheduling.Fire;

/// <summary>Deletes old idempotency keys and occurrences.</summary>
internal sealed class Forget(SystemDb db)
{
    private const int Batch = 10_000;

    /// <summary>Idempotency keys are kept 30 days, occurrences of schedules 400. In batches, so that no statement runs for long.</summary>
    public async Task Run(CancellationToken cancel)
    {
        await Repeat(() => db.Execute(
            $"""
            delete from web.idempotency_key where (tenant_id, principal, key) in (
              select tenant_id, principal, key from web.idempotency_key where created_at < now() - interval '30 days' limit {Batch})
            """,
            cancel));
        await Repeat(() => db.Execute(
            $"""
            delete from scheduling.occurrence where (tenant_id, schedule_id, at) in (
              select tenant_id, schedule_id, at from scheduling.occurrence
              where found_at < now() - interval '400 days' and state <> 'due' limit {Batch})
            """,
            cancel));
    }

    private static async Task Repeat(Func<Task<int>> batch)
    {
        var deleted = Batch;
        while (deleted == Batch)
        {
            deleted = await batch();
        }
    }
}
