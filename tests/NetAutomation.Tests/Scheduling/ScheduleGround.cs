using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

/// <summary>Schedules without a clock: the test sets back when a schedule is next due, and fires.</summary>
internal static class ScheduleGround
{
    public static Task<RunGround> Start(PostgresServer postgres, int devices = 1) => RunGround.Start(postgres, devices);

    /// <summary>Five cron fields, UTC, that meet this minute and, but for a year, no other.</summary>
    public static string Minute(DateTimeOffset at) => at.UtcDateTime.ToString("m H d M '*'", CultureInfo.InvariantCulture);

    public static async Task<ScheduleId> Schedule(this RunGround ground, string cron, string misfire = "skip", string overlap = "skip")
    {
        var made = await ground.Post(ground.Client, "/v1/schedules", new { name = $"s-{Guid.NewGuid():n}", cron, timeZone = "UTC", run = ground.Apply("10.9.0.0/16"), misfire, overlap });
        return ScheduleId.Parse(made["id"]!.GetValue<string>());
    }

    /// <summary>As if nothing had looked at the schedule since then.</summary>
    public static Task MissedSince(this RunGround ground, ScheduleId schedule, DateTimeOffset since) =>
        ground.Sql("update scheduling.schedule set next_at = $2 where id = $1", schedule.Value, since.UtcDateTime);

    /// <summary>A schedule that is due now, found by nobody yet.</summary>
    public static async Task<ScheduleId> Due(this RunGround ground, string overlap = "skip")
    {
        var now = DateTimeOffset.UtcNow;
        var schedule = await ground.Schedule(Minute(now), overlap: overlap, misfire: "once");
        await ground.MissedSince(schedule, now.AddMinutes(-1));
        return schedule;
    }

    public static Task Fire(this ServiceHost host) => host.Services.GetRequiredService<FireDue>().Run(default);

    public static async Task<List<string>> Occurrences(this RunGround ground, ScheduleId schedule) =>
        [.. (await RunGround.Get(ground.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray().Select(o => $"{o!["state"]} {o["code"]}".Trim())];
}
