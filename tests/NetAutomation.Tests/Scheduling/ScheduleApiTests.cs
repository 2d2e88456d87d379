using System.Net;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

public sealed class ScheduleApiTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_schedule_is_made_changed_and_removed_under_its_etag()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var body =
            new
            {
                name = "nightly", rrule = "FREQ=WEEKLY;BYDAY=SA;BYHOUR=2;BYMINUTE=30", timeZone = "Europe/Amsterdam",
                run = fixture.Apply("10.9.0.0/16"), misfire = "once", overlap = "queue"
            };
        var created = (await fixture.Client.Call("POST", "/v1/schedules", body)).Must(HttpStatusCode.Created);
        created.Json.GetProperty("misfire").GetString().ShouldBe("once");
        created.Json.GetProperty("run").GetProperty("block").GetString().ShouldBe("static-routes");
        DateTimeOffset.Parse(
            created.Json.GetProperty("nextAt").GetString()!, System.Globalization.CultureInfo.InvariantCulture).DayOfWeek.ShouldBe(
                DayOfWeek.Saturday);
        (await fixture.Client.Call("POST", "/v1/schedules", body)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("schedule_name_taken");

        var path = $"/v1/schedules/{created.Id}";
        (await fixture.Client.Call("PATCH", path, new { enabled = false })).Must(HttpStatusCode.PreconditionRequired);
        var off = (await fixture.Client.Call("PATCH", path, new { enabled = false, cron = "0 3 * * *" }, created.ETag))
            .Must(HttpStatusCode.OK);
        off.Json.GetProperty("nextAt").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        off.Json.GetProperty("rrule").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        (await fixture.Client.Call("PATCH", path, new { enabled = true }, created.ETag)).Must(HttpStatusCode.PreconditionFailed);
        (await fixture.Client.Call("GET", "/v1/schedules")).Json.GetProperty("items").GetArrayLength().ShouldBe(1);
        var other = await fixture.Host.CreateTenant();
        (await other.Client.Call("GET", path)).Must(HttpStatusCode.NotFound);
        (await other.Client.Call("DELETE", path, ifMatch: "*")).Must(HttpStatusCode.NotFound);
        (await fixture.Client.Call("DELETE", path, ifMatch: off.ETag)).Must(HttpStatusCode.NoContent);
        (await fixture.Client.Call("GET", path)).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_schedule_that_could_not_run_is_refused_where_it_is_wrong()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        async Task<Answer> Try(object run, string? cron = "0 3 * * *", string? rrule = null, string zone = "UTC") =>
            (await fixture.Client.Call("POST", "/v1/schedules", new { name = "x", cron, rrule, timeZone = zone, run }))
                .Must(HttpStatusCode.UnprocessableEntity);
        (await Try(
            new
            {
                block = "static-routes", mode = "apply", targets = new { selector = "role=none" },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }
            }))
            .Faults.ShouldBe(["/run/targets/selector no_targets"]);
        (await Try(
            new
            {
                block = "static-routes", mode = "apply", targets = new { all = true },
                startBy = "2030-01-01T00:00:00Z"
            })).Faults.ShouldBe(["/run/startBy not_here"]);
        (await Try(fixture.Apply("10.9.0.0/16"), "0 0 31 2 *")).Faults.ShouldBe(["/cron never"]);
        (await Try(fixture.Apply("10.9.0.0/16"), null, "FREQ=DAILY;BYWEEKNO=3")).Faults.ShouldBe(["/rrule rrule"]);
        (await Try(fixture.Apply("10.9.0.0/16"), zone: "Mars/Olympus")).Faults.ShouldBe(["/timeZone unknown_time_zone"]);
    }

    [Fact]
    public async Task A_rule_brings_its_time_zone_and_must_not_contradict_another()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        const string rule = "DTSTART;TZID=America/New_York:20270104T020000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO";
        var run = fixture.Apply("10.9.0.0/16");
        var created = (await fixture.Client.Call("POST", "/v1/schedules", new { name = "from awx", rrule = rule, run }))
            .Must(HttpStatusCode.Created);
        var path = $"/v1/schedules/{created.Id}";
        foreach (var shown in new[] { created, await fixture.Client.Call("GET", path) })
        {
            shown.Json.GetProperty("rrule").GetString().ShouldBe(rule);
            shown.Json.GetProperty("timeZone").GetString().ShouldBe("America/New_York");
            ScheduleFixture.Instant(shown.Json.GetProperty("nextAt").GetString()!).UtcDateTime.TimeOfDay.Hours.ShouldBeOneOf(6, 7);
        }

        var moved = (await fixture.Client.Call("PATCH", path, new { timeZone = "Europe/Berlin" }, created.ETag))
            .Must(HttpStatusCode.UnprocessableEntity);
        moved.Faults.ShouldBe(["/rrule rrule"]);
        moved.Text.ShouldContain("America/New_York");
        moved.Text.ShouldContain("Europe/Berlin");
        (await fixture.Client.Call("PATCH", path, new { timeZone = "Europe/Berlin", cron = "@daily" }, created.ETag))
            .Must(HttpStatusCode.OK).Json.GetProperty("cron").GetString().ShouldBe("@daily");

        (await fixture.Client.Call("POST", "/v1/schedules", new { name = "nowhere", cron = "0 1 * * *", run }))
            .Must(HttpStatusCode.BadRequest).Faults.ShouldBe(["/timeZone required"]);
        (await fixture.Client.Call("POST", "/v1/windows", new { name = "nowhere", kind = "deny", cron = "0 1 * * *", duration = "PT1H" }))
            .Must(HttpStatusCode.BadRequest).Faults.ShouldBe(["/timeZone required"]);
        (await fixture.Client.Call("POST", "/v1/windows", new { name = "from awx", kind = "deny", rrule = rule, duration = "PT1H" }))
            .Must(HttpStatusCode.Created).Json.GetProperty("timeZone").GetString().ShouldBe("America/New_York");
    }

    [Fact]
    public async Task A_preview_shows_the_next_occurrences_and_what_blocks_them()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.Schedule("0 2,12 * * *");
        await fixture.Post(
            fixture.Client, "/v1/windows", new { name = "night", kind = "deny", cron = "0 1 * * *", duration = "PT2H", timeZone = "UTC" });
        var items = (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/preview?n=4"))["items"]!.AsArray();
        items.Count.ShouldBe(4);
        foreach (var item in items)
        {
            var at = DateTimeOffset.Parse(item!["at"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture);
            if (at.Hour == 12)
            {
                item["blocked"].ShouldBeNull();
            }
            else
            {
                item["blocked"]!["code"]!.GetValue<string>().ShouldBe("window");
                DateTimeOffset.Parse(item["blocked"]!["eligibleAt"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture)
                    .ShouldBe(at.AddHours(1));
            }
        }

        await fixture.Sql("update inventory.device set enabled = false");
        (await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/preview?n=1"))["items"]![0]!["blocked"]!["code"]!
            .GetValue<string>()
            .ShouldBe("validation_failed");
        await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/preview?n=0", 422);
    }
}
