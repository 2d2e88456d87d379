using System.ComponentModel;
using System.Globalization;
using System.Text;
using NetAutomation.Persistence;

namespace NetAutomation.Runs.Follow;

internal static class RunLog
{
    /// <summary>The output as plain text, one line per event that has any.</summary>
    public static async Task<IResult> Handle(
        RunId id, NetAutomationDb db, Caller caller, CancellationToken cancel, [Description("Only this device.")] DeviceId? deviceId = null)
    {
        if ((await RunEvents.Read(db, caller.Tenant, id, 0, cancel)).Refused(out var problem, out var page))
        {
            return problem;
        }

        var names =
            (await db.QueryAs<Named>(
                caller.Tenant,
                $"select device_id, name from runs.run_device where tenant_id = {caller.Tenant.Value} and run_id = {id.Value}", cancel))
            .ToDictionary(row => row.DeviceId, row => row.Name);

        // Nothing of a log is kept: it is read once for its length and the places of its pages, and once more as somebody takes it. What
        // is written meanwhile belongs to the next request.
        var (pages, length, last) = (new List<(long Begin, long After)>(), 0L, page.LastSeq);
        for (var after = 0L; after < last && await Read(after, cancel) is { } next; after = next.Last)
        {
            pages.Add((length, after));
            length += next.Text.Length;
        }

        return TypedResults.Stream(
            new PagedStream(length, async (position, stop) =>
            {
                var (begin, after) = pages.FindLast(each => each.Begin <= position);
                return (begin, (await Read(after, stop))?.Text ?? []);
            }),
            "text/plain; charset=utf-8", enableRangeProcessing: true);

        async Task<(byte[] Text, long Last)?> Read(long after, CancellationToken stop)
        {
            if ((await RunEvents.Read(db, caller.Tenant, id, after, stop)).Value is not { Items: [.., var end] } read)
            {
                return null;
            }

            var text = new StringBuilder();
            foreach (var item in read.Items.Where(item => deviceId is null || item.DeviceId == deviceId))
            {
                var name = item.DeviceId is { } device ? names.GetValueOrDefault(device) : "-";
                text.Append(
                    CultureInfo.InvariantCulture, $"{item.Time.UtcDateTime:HH:mm:ss.fff} {item.Type} {name} {item.Data.GetRawText()}\n");
            }

            return (Encoding.UTF8.GetBytes(text.ToString()), end.Seq);
        }
    }

    private sealed record Named(DeviceId DeviceId, string Name);
}
