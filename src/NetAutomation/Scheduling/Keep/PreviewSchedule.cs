using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Scheduling.Keep;

/// <summary>An occurrence to come.</summary>
/// <param name="At">The instant.</param>
/// <param name="Blocked">Null where it would start, as things are now.</param>
public sealed record UpcomingView(DateTimeOffset At, Blocked? Blocked);

internal static class PreviewSchedule
{
    private const int Most = 100;

    /// <summary>The next occurrences, and what would keep each from starting.</summary>
    public static async Task<Results<Ok<Page<UpcomingView>>, Problem>> Handle(
        ScheduleId id, NetAutomationDb db, Caller caller, RunLauncher launcher, WindowCalendars windows, Evaluations evaluations,
        TimeProvider clock, CancellationToken cancel,
        [Description("How many, 1 to 100.")] int n = 10)
    {
        if (n is < 1 or > Most)
        {
            return Web.Problems.Refused.At("/n", "out_of_range", $"n is 1 to {Most}.");
        }

        if (await db.Set<Schedule>().AsNoTracking().FirstOrDefaultAsync(each => each.Id == id, cancel) is not { } schedule)
        {
            return Web.Problems.NotFound.With();
        }

        var upcoming = schedule.Times.After(clock.GetUtcNow(), evaluations.Begin(cancel)).Take(n).ToList();
        if (!schedule.Enabled)
        {
            return All(upcoming, new Blocked("disabled", "The schedule is disabled.", null));
        }

        if ((await launcher.Plan(caller, schedule.Run, cancel)).Refused(out var refusal, out var startable))
        {
            return All(
                upcoming,
                new Blocked(
                    refusal.Type.Code, refusal.Errors is [var first, ..] ? first.Detail : refusal.Detail ?? refusal.Type.Title, null));
        }

        if (startable.Rule is { } rule && schedule.Approval != ScheduleApproval.Approved)
        {
            return All(upcoming, new Blocked(Runs.Problems.ApprovalRequired.Code, $"{rule} {RunLauncher.Approving(id)}", null));
        }

        var calendar = await windows.Load(caller.Tenant, startable.Devices, cancel);
        return TypedResults.Ok(
            new Page<UpcomingView>([.. upcoming.Select(at => new UpcomingView(at, Blocked.By(calendar, at)))], null));
    }

    private static Ok<Page<UpcomingView>> All(List<DateTimeOffset> upcoming, Blocked blocked) =>
        TypedResults.Ok(new Page<UpcomingView>([.. upcoming.Select(at => new UpcomingView(at, blocked))], null));
}
