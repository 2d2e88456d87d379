using System.ComponentModel;
using System.Text;
using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Runs.Follow;

/// <summary>One event of a run.</summary>
/// <param name="Seq">From 1, without gaps.</param>
/// <param name="Time">When it happened.</param>
/// <param name="Type">state, device_started, task, output, device_outcome or output_complete.</param>
/// <param name="Attempt">In which attempt.</param>
/// <param name="DeviceId">On which device.</param>
/// <param name="Data">By type.</param>
public sealed record RunEventView(long Seq, DateTimeOffset Time, string Type, int Attempt, DeviceId? DeviceId, JsonElement Data);

/// <summary>Events in order.</summary>
/// <param name="Items">From the one after <c>after</c>.</param>
/// <param name="LastSeq">Number of the newest event there is.</param>
/// <param name="Complete">No event will follow the last item.</param>
public sealed record RunEventPage(IReadOnlyList<RunEventView> Items, long LastSeq, bool Complete);

internal static class FollowRun
{
    private const int Batch = 500;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Ping = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Events after a number: a page of JSON, or with <c>Accept: text/event-stream</c> a stream that resumes by Last-Event-ID and ends after
    /// <c>output_complete</c>.
    /// </summary>
    public static async Task<IResult> Handle(
        RunId id, NetAutomationDb db, Caller caller, RunSignals signals, ICallerCheck check, TimeProvider clock, HttpContext http,
        [Description("Events after this number.")] long after = 0)
    {
        var cancel = http.RequestAborted;
        if (long.TryParse(http.Request.Headers["Last-Event-ID"], out var last))
        {
            after = last;
        }

        var (page, found) = await Read(db, caller.Tenant, id, after, cancel);
        if (!found)
        {
            return Platform.Problems.NotFound.With();
        }

        if (!http.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            return TypedResults.Ok(page);
        }

        if (page.Complete && page.Items.Count == 0)
        {
            return TypedResults.NoContent();
        }

        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        var sent = clock.GetTimestamp();
        while (true)
        {
            var news = signals.News;
            var frame = new StringBuilder();
            foreach (var item in page.Items)
            {
                frame.Append("id: ").Append(item.Seq).Append("\nevent: ").Append(item.Type).Append("\ndata: ").Append(JsonSerializer.Serialize(item, Json.Api)).Append("\n\n");
                after = item.Seq;
            }

            if (frame.Length == 0 && clock.GetElapsedTime(sent) >= Ping)
            {
                frame.Append("event: ping\ndata: {}\n\n");
            }

            if (frame.Length > 0)
            {
                await http.Response.WriteAsync(frame.ToString(), cancel);
                await http.Response.Body.FlushAsync(cancel);
                sent = clock.GetTimestamp();
            }

            if (page.Complete)
            {
                return Results.Empty;
            }

            if (page.Items.Count < Batch)
            {
                await RunSignals.Wait(news, Poll, clock, cancel);
            }

            // The caller is proven again: a dead binding or key ends the stream.
            if (!await check.StillValid(http))
            {
                return Results.Empty;
            }

            (page, _) = await Read(db, caller.Tenant, id, after, cancel);
        }
    }

    /// <summary>The output as plain text, one line per event that has any.</summary>
    public static async Task<IResult> GetLog(
        RunId id, NetAutomationDb db, Caller caller, CancellationToken cancel, [Description("Only this device.")] DeviceId? deviceId = null)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is null)
        {
            return Platform.Problems.NotFound.With();
        }

        var names = (await db.Query<Named>($"select device_id, name from runs.run_device where tenant_id = {caller.Tenant.Value} and run_id = {id.Value}", cancel))
            .ToDictionary(row => row.DeviceId, row => row.Name);
        var text = new StringBuilder();
        var (page, after) = ((RunEventPage?)null, 0L);
        do
        {
            (page, _) = await Rows(db, caller.Tenant, id, after, cancel);
            foreach (var item in page.Items)
            {
                after = item.Seq;
                if (deviceId is null || item.DeviceId == deviceId)
                {
                    var device = item.DeviceId is { } known ? names.GetValueOrDefault(known.Value) : "-";
                    text.Append(item.Time.UtcDateTime.ToString("HH:mm:ss.fff")).Append(' ').Append(item.Type).Append(' ').Append(device).Append(' ').Append(item.Data.GetRawText()).Append('\n');
                }
            }
        }
        while (page.Items.Count == Batch);
        return TypedResults.Bytes(Encoding.UTF8.GetBytes(text.ToString()), "text/plain; charset=utf-8", enableRangeProcessing: true);
    }

    private static async Task<(RunEventPage Page, bool Found)> Read(NetAutomationDb db, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        return await Rows(db, tenant, id, after, cancel);
    }

    private static async Task<(RunEventPage Page, bool Found)> Rows(NetAutomationDb db, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        var heads = await db.Query<Head>($"select last_seq, final_seq, created_day from runs.run where tenant_id = {tenant.Value} and id = {id.Value}", cancel);
        if (heads is not [var head])
        {
            return (new RunEventPage([], 0, true), false);
        }

        var rows = await db.Query<Row>(
            $"""
            select seq, time, type, attempt, device_id, data::text as data from runs.run_event
            where tenant_id = {tenant.Value} and run_id = {id.Value} and run_day = {head.CreatedDay} and seq > {after} and seq <= {head.LastSeq} order by seq limit {Batch}
            """,
            cancel);
        var items = rows.Select(row => new RunEventView(
            row.Seq, row.Time, row.Type, row.Attempt, row.DeviceId is { } device ? new DeviceId(device) : null, JsonElement.Parse(row.Data))).ToList();
        return (new RunEventPage(items, head.LastSeq, head.FinalSeq is { } final && (items.Count == 0 ? after : items[^1].Seq) >= final), true);
    }

    private sealed record Head(long LastSeq, long? FinalSeq, DateOnly CreatedDay);

    private sealed record Row(long Seq, DateTimeOffset Time, string Type, int Attempt, Guid? DeviceId, string Data);

    private sealed record Named(Guid DeviceId, string Name);
}
