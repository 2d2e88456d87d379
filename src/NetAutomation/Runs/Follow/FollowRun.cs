using System.Collections.Concurrent;
using System.ComponentModel;
using System.Text;
using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

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
    // Readers of one process have few connections between them, those of one tenant half of them, and each looks ten times a second at
    // most: none takes them from a run, nor all of them from the readers of another tenant.
    private static readonly SemaphoreSlim _reads = new(4);
    private static readonly ConcurrentDictionary<TenantId, SemaphoreSlim> _turns = new();
    private static readonly TimeSpan _apart = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _ping = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Events after a number: a page of JSON, or with <c>Accept: text/event-stream</c> a stream that resumes by Last-Event-ID and ends
    /// after <c>output_complete</c>.
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

        var news = signals.News(id);
        if ((await Read(db, http, caller.Tenant, id, after, cancel)).Refused(out var problem, out var page))
        {
            return problem;
        }

        if (!http.Request.GetTypedHeaders().Accept.Any(
            type => type.MediaType.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) && type.Quality is null or > 0))
        {
            return TypedResults.Ok(page);
        }

        if (page.Complete && page.Items.Count == 0)
        {
            return TypedResults.NoContent();
        }

        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.Body.FlushAsync(cancel);
        var sent = clock.GetTimestamp();
        while (true)
        {
            var frame = new StringBuilder();
            foreach (var item in page.Items)
            {
                frame.Append($"id: {item.Seq}\nevent: {item.Type}\ndata: {JsonSerializer.Serialize(item, Json.Api)}\n\n");
                after = item.Seq;
            }

            if (frame.Length == 0 && clock.GetElapsedTime(sent) >= _ping)
            {
                frame.Append("event: ping\ndata: {}\n\n");
            }

            if (frame.Length > 0)
            {
                // A reader that was cut off resumes by number.
                if (!await SlowReader.Send(http.Response.Body, Encoding.UTF8.GetBytes(frame.ToString()), clock, cancel))
                {
                    http.Abort();
                    return Results.Empty;
                }

                sent = clock.GetTimestamp();
            }

            if (page.Complete || signals.Leaving)
            {
                return Results.Empty;
            }

            if (after >= page.LastSeq)
            {
                if (_apart - clock.GetElapsedTime(sent) is { Ticks: > 0 } early)
                {
                    await Task.Delay(early, clock, cancel);
                }

                await signals.Wait(news, Sooner(signals.Poll, _ping - clock.GetElapsedTime(sent)), clock, cancel);
            }

            // The caller is proven again: a dead binding or key ends the stream.
            news = signals.News(id);
            if (!await check.StillValid(http) || (await Read(db, http, caller.Tenant, id, after, cancel)).Refused(out _, out page))
            {
                return Results.Empty;
            }
        }
    }

    private static async Task<Outcome<RunEventPage>> Read(
        NetAutomationDb db, HttpContext http, TenantId tenant, RunId id, long after, CancellationToken cancel)
    {
        // The tenant's own turn and connection come before the place among all readers: who waits for them keeps nobody waiting.
        var turns = _turns.GetOrAdd(tenant, _ => new SemaphoreSlim(2));
        await turns.WaitAsync(cancel);
        try
        {
            if (http.Features.Get<DatabaseBudget>() is { } budget)
            {
                await db.Spend(budget, cancel);
            }

            await _reads.WaitAsync(cancel);
            try
            {
                return await RunEvents.Read(db, tenant, id, after, cancel);
            }
            finally
            {
                _reads.Release();
            }
        }
        finally
        {
            db.GiveBack();
            turns.Release();
        }
    }

    private static TimeSpan Sooner(TimeSpan one, TimeSpan other) => one < other ? one : other > TimeSpan.Zero ? other : TimeSpan.Zero;
}
