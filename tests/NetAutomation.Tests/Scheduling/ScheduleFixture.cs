using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

/// <summary>Schedules without a clock: the test sets the next due time of a schedule back, and fires.</summary>
internal static class ScheduleFixture
{
    public static Task<RunFixture> Start(PostgresServer postgres, int devices = 1) => RunFixture.Start(postgres, devices);

    /// <summary>The service with the test's clock. The database's own clock does not change.</summary>
    public static Task<RunFixture> Start(PostgresServer postgres, FixedClock clock, int devices = 1) =>
        RunFixture.Start(postgres, devices, configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));

    /// <summary>Five cron fields in UTC that match this minute once a year.</summary>
    public static string Minute(DateTimeOffset at) => at.UtcDateTime.ToString("m H d M '*'", CultureInfo.InvariantCulture);

    public static DateTimeOffset Instant(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    public static DateTimeOffset? Instant(JsonNode? node) => node is null ? null : Instant(node.GetValue<string>());

    public static async Task<ScheduleId> Schedule(this RunFixture fixture, string cron, string misfire = "skip", string overlap = "skip")
    {
        var created =
            await fixture.Post(
                fixture.Client, "/v1/schedules",
                new { name = $"s-{Guid.NewGuid():n}", cron, timeZone = "UTC", run = fixture.Apply("10.9.0.0/16"), misfire, overlap });
        return ScheduleId.Parse(created["id"]!.GetValue<string>());
    }

    /// <summary>Sets the next due time back, as if nothing had fired the schedule since then.</summary>
    public static Task SetNextDue(this RunFixture fixture, ScheduleId schedule, DateTimeOffset since) =>
        fixture.Sql("update scheduling.schedule set next_at = $2 where id = $1", schedule.Value, since.UtcDateTime);

    /// <summary>Creates a schedule that is due now and has not fired yet.</summary>
    public static async Task<ScheduleId> CreateDueSchedule(this RunFixture fixture, string overlap = "skip")
    {
        var now = DateTimeOffset.UtcNow;
        var schedule = await fixture.Schedule(Minute(now), overlap: overlap, misfire: "once");
        await fixture.SetNextDue(schedule, now.AddMinutes(-1));
        return schedule;
    }

    public static async Task Fire(this ServiceHost host)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var due = ActivatorUtilities.CreateInstance<FireDue>(scope.ServiceProvider);
        await due.Note(default);
        await due.Start(default);
    }

    /// <summary>Cancels the run that a fire started, so that the next may start. Null: it started none.</summary>
    public static async Task<DateTimeOffset?> CancelFiredRun(this RunFixture fixture)
    {
        var queued = (await RunFixture.Get(fixture.Client, "/v1/runs?state=queued"))["items"]!.AsArray();
        if (queued.Count == 0)
        {
            return null;
        }

        var run = queued.ShouldHaveSingleItem()!;
        await fixture.Post(fixture.Client, $"/v1/runs/{run["id"]}:cancel", new { });
        return Instant(run["occurrence"]);
    }

    public static async Task<List<string>> Occurrences(this RunFixture fixture, ScheduleId schedule) =>
        [.. (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/occurrences"))["items"]!.AsArray()
            .Select(o => $"{o!["state"]} {o["blocked"]?["code"]}".Trim())];
}

/// <summary>A clock that shows a fixed time; timers run normally.</summary>
internal sealed class FixedClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow;

    public override DateTimeOffset GetUtcNow() => Now;
}
