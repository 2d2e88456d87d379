using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Runs.Follow;

/// <summary>Reads the events of a run by number, a bounded batch at a time: a reader holds no lock, so it cannot slow the run it follows.</summary>
internal static class RunEvents
{
    private const int Most = 500;
    private const int MostBytes = 128 * 1024;

    public static async Task<Outcome<RunEventPage>> Read(NetAutomationDb db, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        return await InTransaction(db, tenant, id, after, cancel);
    }

    /// <summary>The same in the caller's transaction.</summary>
    public static async Task<Outcome<RunEventPage>> InTransaction(NetAutomationDb db, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        after = Math.Max(0, after);
        var heads = await db.Query<Head>($"select last_seq, final_seq, created_day from runs.run where tenant_id = {tenant.Value} and id = {id.Value}", cancel);
        if (heads is not [var head])
        {
            return Platform.Problems.NotFound.With();
        }

        var rows = await db.Query<Row>(
            $"""
            select seq, time, type, attempt, device_id, data from (
              select seq, time, type, attempt, device_id, data::text as data, sum(octet_length(data::text)) over (order by seq) as size from (
                select * from runs.run_event
                where tenant_id = {tenant.Value} and run_id = {id.Value} and run_day = {head.CreatedDay} and seq > {after} and seq <= {head.LastSeq}
                order by seq limit {Most}) e) s
            where size <= {MostBytes} or seq = {after + 1} order by seq
            """,
            cancel);
        if (rows.Count == 0 && after < head.LastSeq)
        {
            return new Problem(Problems.EventsDropped, "The run itself, its devices and its receipts are kept.")
            {
                Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["firstSeq"] = head.LastSeq + 1 },
            };
        }

        var items = rows.Select(row => new RunEventView(
            row.Seq, row.Time, row.Type, row.Attempt, row.DeviceId is { } device ? new DeviceId(device) : null, JsonElement.Parse(row.Data))).ToList();
        return new RunEventPage(items, head.LastSeq, head.FinalSeq is { } final && (items.Count == 0 ? after : items[^1].Seq) >= final);
    }

    private sealed record Head(long LastSeq, long? FinalSeq, DateOnly CreatedDay);

    private sealed record Row(long Seq, DateTimeOffset Time, string Type, int Attempt, Guid? DeviceId, string Data);
}
