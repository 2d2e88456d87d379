using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

/// <summary>Schedules without a clock: the test sets the next due time of a schedule back, and fires.</summary>
internal static class ScheduleGround
{
    public static Task<RunGround> Start(PostgresServer postgres, int devices = 1) => RunGround.Start(postgres, devices);

    /// <summary>The service with the test's clock. The database's own clock does not change.</summary>
    public static Task<RunGround> Start(PostgresServer postgres, SetTime time, int devices = 1) =>
        RunGround.Start(postgres, devices, configure: builder => builder.Services.AddSingleton<TimeProvider>(time));

    /// <summary>Five cron fields in UTC that match this minute once a year.</summary>
    public static string Minute(DateTimeOffset at) => at.UtcDateTime.ToString("m H d M '*'", CultureInfo.InvariantCulture);

    public static DateTimeOffset Instant(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    public static DateTimeOffset? Instant(JsonNode? node) => node is null ? null : Instant(node.GetValue<string>());

    public static async Task<ScheduleId> Schedule(this RunGround ground, string cron, string misfire = "skip", string overlap = "skip")
    {
        var made =
            await ground.Post(
                ground.Client, "/v1/schedules",
                new { name = $"s-{Guid.NewGuid():n}", cron, timeZone = "UTC", run = ground.Apply("10.9.0.0/16"), misfire, overlap });
        return ScheduleId.Parse(made["id"]!.GetValue<string>());
    }

    /// <summary>Sets the next due time back, as if nothing had fired the schedule since then.</summary>
    public static Task MissedSince(this RunGround ground, ScheduleId schedule, DateTimeOffset since) =>
        ground.Sql("update scheduling.schedule set next_at = $2 where id = $1", schedule.Value, since.UtcDateTime);

    /// <summary>Creates a schedule that is due now and has not fired yet.</summary>
    public static async Task<ScheduleId> Due(this RunGround ground, string overlap = "skip")
    {
        var now = DateTimeOffset.UtcNow;
        var schedule = await ground.Schedule(Minute(now), overlap: overlap, misfire: "once");
        await ground.MissedSince(schedule, now.AddMinutes(-1));
        return schedule;
    }

    public static Task Fire(this ServiceHost host) => host.Services.GetRequiredService<FireDue>().Run(default);

    /// <summary>Cancels the run that a fire started, so that the next may start. Null: it started none.</summary>
    public static async Task<DateTimeOffset?> Fired(this RunGround ground)
    {
        var queued = (await RunGround.Get(ground.Client, "/v1/runs?state=queued"))["items"]!.AsArray();
        if (queued.Count == 0)
        {
            return null;
        }

        var run = queued.ShouldHaveSingleItem()!;
        await ground.Post(ground.Client, $"/v1/runs/{run["id"]}:cancel", new { });
        return Instant(run["occurrence"]);
    }

    public static async Task<List<string>> Occurrences(this RunGround ground, ScheduleId schedule) =>
        [.. (await RunGround.Get(ground.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray()
            .Select(o => $"{o!["state"]} {o["blocked"]?["code"]}".Trim())];
}

/// <summary>A clock that shows a fixed time; timers run normally.</summary>
internal sealed class SetTime : TimeProvider
{
    public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow;

    public override DateTimeOffset GetUtcNow() => Now;
}
