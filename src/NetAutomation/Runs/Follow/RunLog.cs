using System.ComponentModel;
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
            (await db.Query<Named>(
                $"select device_id, name from runs.run_device where tenant_id = {caller.Tenant.Value} and run_id = {id.Value}", cancel))
            .ToDictionary(row => row.DeviceId, row => row.Name);

        // A log may be long and a range of it starts anywhere. It goes through a file that is deleted when it is closed.
        var file = new FileStream(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        try
        {
            await using var text = new StreamWriter(file, leaveOpen: true) { NewLine = "\n" };
            while (page?.Items is [.., var last])
            {
                foreach (var item in page.Items.Where(item => deviceId is null || item.DeviceId == deviceId))
                {
                    var name = item.DeviceId is { } device ? names.GetValueOrDefault(device) : "-";
                    await text.WriteLineAsync($"{item.Time.UtcDateTime:HH:mm:ss.fff} {item.Type} {name} {item.Data.GetRawText()}");
                }

                page = (await RunEvents.Read(db, caller.Tenant, id, last.Seq, cancel)).Value;
            }
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }

        file.Position = 0;
        return TypedResults.Stream(file, "text/plain; charset=utf-8", enableRangeProcessing: true);
    }

    private sealed record Named(DeviceId DeviceId, string Name);
}
