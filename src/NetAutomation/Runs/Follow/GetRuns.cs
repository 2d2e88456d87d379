using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Follow;

internal static class GetRuns
{
    /// <summary>Runs, newest first.</summary>
    public static async Task<Results<Ok<Page<RunView>>, Problem>> ListRuns(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel,
        [Description("Only in this state.")] string? state = null, [Description("Only this block.")] string? block = null,
        [Description("Only with this device.")] DeviceId? deviceId = null,
        [Description("Only created after.")] DateTimeOffset? createdAfter = null,
        [Description("Only of this schedule.")] ScheduleId? scheduleId = null)
    {
        if (state is not null && !Wire.TryValue<RunState>(state, out _))
        {
            return Web.Problems.Refused.At("/state", "unknown_state", "There is no such state.");
        }

        var filter = new RunFilter(null, state, block, deviceId?.Value, createdAfter?.ToUniversalTime(), scheduleId?.Value);
        var read = await page.Read<(RunView Run, long Found)>(
            filter.ToString(), (below, take) => RunView.Read(db, caller.Tenant, filter, below, take, cancel), row => row.Run.Id.Value,
            row => row.Found);
        return read.Refused(out var problem, out var value)
            ? problem : TypedResults.Ok(new Page<RunView>([.. value.Items.Select(row => row.Run)], value.Next));
    }

    /// <summary>One run; with <c>wait</c>, the answer comes when it is final or the time is over.</summary>
    public static async Task<Results<Ok<RunView>, Problem>> GetRun(
        RunId id, NetAutomationDb db, Caller caller, RunSignals signals, TimeProvider clock, [AsParameters] WaitQuery query,
        CancellationToken cancel)
    {
        if (query.Read().Refused(out var refused, out var wait))
        {
            return refused;
        }

        var until = clock.GetUtcNow() + wait;
        while (true)
        {
            var news = signals.News(id);
            if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } view)
            {
                return Web.Problems.NotFound.With();
            }

            if (view.Terminal || signals.Leaving || clock.GetUtcNow() >= until)
            {
                return TypedResults.Ok(view);
            }

            await signals.Wait(news, signals.Poll, clock, cancel);
        }
    }
}
