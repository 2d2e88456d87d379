using NetAutomation.Persistence;

namespace NetAutomation.Runs.Dispatch;

/// <summary>Counts the queue. Each scheduler does, since a gauge stands still in a process that no longer sets it.</summary>
internal sealed class MeasureQueue(SystemDb db, RunMetrics metrics)
{
    public async Task Run(CancellationToken cancel)
    {
        var lengths = await db.Query<QueueLength>(
            $"""
            select s.state, count(q.run_id) as runs, coalesce(greatest(now() - min(q.created_at), '0'), '0') as oldest
            from unnest(array['ready', 'connector', 'device', 'window', 'expiry']) as s (state)
              left join runs.queue q on case when q.ready then 'ready' else q.waits_for end = s.state
            group by s.state
            """,
            cancel);
        lengths.ForEach(metrics.Queued);
    }
}
