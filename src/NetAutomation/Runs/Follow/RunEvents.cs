using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Follow;

/// <summary>
/// Reads the events of a run by number, a bounded batch at a time: a reader holds no lock, so it cannot slow the run it follows.
/// </summary>
internal static class RunEvents
{
    private const int Most = 500;
    private const int MostBytes = 128 * 1024;

    /// <param name="after">The number of the last event that is known already; 0: none.</param>
    public static async Task<Outcome<RunEventPage>> Read(
        NetAutomationDb db, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        after = Math.Max(0, after);
        // A run without events after the number is one row without event.
        var rows = await db.QueryAs<Row>(
            tenant,
            $"""
            select r.last_seq, r.final_seq, e.seq, e.time, e.type, e.attempt, e.device_id, e.data
            from runs.run r left join lateral (
              select seq, time, type, attempt, device_id, data, sum(octet_length(data::text)) over (order by seq) as size from (
                select * from runs.run_event
                where tenant_id = r.tenant_id and run_id = r.id and run_day = r.created_day and seq > {after} and seq <= r.last_seq
                order by seq limit {Most}) page) e on e.size <= {MostBytes} or e.seq = {after + 1}
            where r.tenant_id = {tenant.Value} and r.id = {id.Value} order by e.seq
            """,
            cancel);
        if (rows is not [var head, ..])
        {
            return Web.Problems.NotFound.With();
        }

        if (head.Seq is null && after < head.LastSeq)
        {
            return new Problem(Problems.EventsDropped, "The run itself, its devices and its receipts are kept.")
            {
                Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["firstSeq"] = head.LastSeq + 1 },
            };
        }

        var items = rows.Where(row => row.Seq is not null).Select(row => new RunEventView(
            row.Seq!.Value, row.Time!.Value, row.Type!, row.Attempt!.Value, row.DeviceId, row.Data!.Value)).ToList();
        return new RunEventPage(items, head.LastSeq, head.FinalSeq is { } final && (items.Count == 0 ? after : items[^1].Seq) >= final);
    }

    private sealed record Row(
        long LastSeq, long? FinalSeq, long? Seq, DateTimeOffset? Time, string? Type, int? Attempt, DeviceId? DeviceId, JsonElement? Data);
}
