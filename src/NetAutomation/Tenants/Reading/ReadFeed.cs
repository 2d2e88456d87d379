using System.Buffers.Binary;
using System.Buffers.Text;
using System.ComponentModel;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Tenants.Reading;

/// <summary>Something that happened in the tenant.</summary>
/// <param name="Id">Stays the same however often it is read.</param>
/// <param name="Time">When.</param>
/// <param name="Type">What: a deed as in <c>/v1/audit</c>, or <c>run.</c> and the state a run went over to.</param>
/// <param name="Subject">Id of what it happened to.</param>
/// <param name="Member">The person or system that did it; null for a state of a run.</param>
/// <param name="Data">More about it.</param>
public sealed record FeedEvent(string Id, DateTimeOffset Time, string Type, string Subject, string? Member, JsonElement Data);

/// <summary>Events in the order they are to be read in, oldest first.</summary>
/// <param name="Items">The events; empty where nothing came.</param>
/// <param name="Next">Pass as <c>after</c> to go on behind the last item.</param>
public sealed record FeedPage(IReadOnlyList<FeedEvent> Items, string Next);

/// <summary>
/// The events of a tenant, for systems that cannot be called. The feed holds every event once, in one order for all readers, and never adds
/// an event before one that was read: it shows an event when every transaction older than the event's own has ended. This holds while the
/// server's transaction numbers only grow: over restarts, over a restore of the whole cluster and over a failover that loses nothing. Where
/// the numbers fell back, the feed refuses a position ahead of them, and its reader begins again. Events that were loaded from a dump into
/// a younger cluster appear when its numbers have reached theirs, so raise its next number (pg_resetwal) above them before it serves.
/// </summary>
internal static class ReadFeed
{
    private const int Most = 200;
    private const string Now = "now";
    private static readonly TimeSpan _look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _rarely = TimeSpan.FromSeconds(3);

    /// <summary>Events after a position. With <c>wait</c>, the answer comes when there is one or the time is over.</summary>
    public static async Task<Results<Ok<FeedPage>, Problem>> Handle(
        NetAutomationDb db, Caller caller, ICallerCheck check, IHostApplicationLifetime life, TimeProvider clock, HttpContext http,
        RateLimits rates,
        [AsParameters] WaitQuery query, CancellationToken cancel,
        [Description(
            "Where to go on: the last answer's next; \"now\" skips what can be read already; from the beginning where omitted.")]
        string? after = null,
        [Description("Events in an answer, 1 to 200.")] int limit = Most)
    {
        if (query.Read().Refused(out var refused, out var wait))
        {
            return refused;
        }

        if (limit is < 1 or > Most)
        {
            return Web.Problems.Refused.At("/limit", "out_of_range", $"The limit is 1 to {Most}.");
        }

        Position? position = after is null ? Position.Before(0) : after == Now ? null : Position.Read(after, caller.Tenant);
        if (position is null && after != Now)
        {
            return Web.Problems.CursorMismatch.With();
        }

        using var place = wait > TimeSpan.Zero ? rates.UseOf(caller.Tenant).Enter(AtATime.FeedReaders) : null;
        if (wait > TimeSpan.Zero && place is null)
        {
            return rates.Full(AtATime.FeedReaders);
        }

        var until = clock.GetUtcNow() + wait;
        var pause = _look;
        while (true)
        {
            List<Row> rows;
            await using (await db.Begin(caller.Tenant, cancel))
            {
                var ends = (await db.Query<Ends>(
                    $"""
                    select pg_snapshot_xmin(pg_current_snapshot()) as oldest, pg_snapshot_xmax(pg_current_snapshot()) as next
                    """,
                    cancel))[0];
                position ??= Position.Before(ends.Oldest);
                if (position.Xid > ends.Next)
                {
                    return Web.Problems.CursorMismatch.With();
                }

                rows = await Read(db, caller.Tenant, position, limit, cancel);
            }

            if (rows.Count > 0 || life.ApplicationStopping.IsCancellationRequested || clock.GetUtcNow() >= until)
            {
                position = rows is [.., var last] ? new Position(last.Xid, last.Kind, last.Key, last.Seq) : position;
                return TypedResults.Ok(new FeedPage([.. rows.Select(View)], position.Text(caller.Tenant)));
            }

            var left = until - clock.GetUtcNow();
            await Task.Delay(left < pause && left > TimeSpan.Zero ? left : pause, clock, cancel);
            pause = pause * 1.25 < _rarely ? pause * 1.25 : _rarely;
            if (!await check.StillValid(http))
            {
                return Web.Problems.Unauthorized.With();
            }
        }
    }

    private static Task<List<Row>> Read(NetAutomationDb db, TenantId tenant, Position from, int take, CancellationToken cancel) =>
        db.Query<Row>(
        $"""
        select xid, kind, key, seq, at as time, type, subject, member, data
        from web.feed_after({tenant.Value}, {$"{from.Xid}"}::xid8, {from.Kind}, {from.Key}, {from.Seq}, {take})
        """,
        cancel);

    private static FeedEvent View(Row row)
    {
        var subject = row.Subject ?? $"{new RunId(row.Key)}";
        return new(
            row.Kind == 0 ? $"{new AuditId(row.Key)}" : $"{subject}/{row.Seq}", row.Time, row.Type, subject, row.Member, row.Data);
    }

    private sealed record Ends(ulong Oldest, ulong Next);

    private sealed record Row(
        ulong Xid, int Kind, Guid Key, int Seq, DateTimeOffset Time, string Type, string? Subject, string? Member, JsonElement Data);

    /// <summary>The position after one event. It is sealed to the tenant, so that a position of another tenant is refused.</summary>
    private sealed record Position(ulong Xid, int Kind, Guid Key, int Seq)
    {
        private const int Size = 8 + 1 + 16 + 4;

        /// <summary>The position just before the first event of a transaction.</summary>
        public static Position Before(ulong xid) => new(xid, 0, Guid.Empty, 0);

        public static Position? Read(string text, TenantId tenant)
        {
            var raw = new byte[Size + 8];
            if (text.Length > 64 || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, raw, out var length)
                || length != raw.Length
                || !raw.AsSpan(Size).SequenceEqual(Seal(tenant)))
            {
                return null;
            }

            return new(
                BinaryPrimitives.ReadUInt64BigEndian(raw), raw[8], new Guid(raw.AsSpan(9, 16), bigEndian: true),
                BinaryPrimitives.ReadInt32BigEndian(raw.AsSpan(25)));
        }

        public string Text(TenantId tenant)
        {
            var raw = new byte[Size + 8];
            BinaryPrimitives.WriteUInt64BigEndian(raw, Xid);
            raw[8] = (byte)Kind;
            Key.TryWriteBytes(raw.AsSpan(9), bigEndian: true, out _);
            BinaryPrimitives.WriteInt32BigEndian(raw.AsSpan(25), Seq);
            Seal(tenant).CopyTo(raw.AsSpan(Size));
            return Base64Url.EncodeToString(raw);
        }

        private static ReadOnlySpan<byte> Seal(TenantId tenant) =>
            SHA256.HashData([.. "feed/"u8, .. tenant.Value.ToByteArray()]).AsSpan(0, 8);
    }
}
