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
