using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Runs;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>What a request says is what comes of it, whichever way it takes; a new member of requests is asked for here.</summary>
public sealed class KeptRequestTests(PostgresServer postgres)
{
    /// <summary>What only the start of a single run says.</summary>
    private static readonly string[] _ofOneStart = ["quoteId", "planId", "startBy"];

    /// <summary>What every run says.</summary>
    private static readonly string[] _ofEveryRun = ["block", "version", "mode", "targets", "input"];

    private static readonly string[] _besideQuote = ["startBy", "maxPrice", "labels", "priority"];

    private static string[] Members =>
        [.. typeof(StartRunRequest).GetProperties().Select(member => JsonNamingPolicy.CamelCase.ConvertName(member.Name))];

    [Theory]
    [InlineData("guard")]
    [InlineData("rollout")]
    public async Task Every_member_of_a_request_counts_from_a_quote_a_plan_a_schedule_and_a_relaunch_alike(string spread)
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var bare = await Cancelled(fixture, await Start(fixture, fixture.Apply("10.9.0.0/16")));
        var body = Body(fixture, spread);
        body["version"] = $"{bare["version"]}";
        Members.Except(body.Select(member => member.Key)).Except(["guard", "rollout"])
            .ShouldBe(_ofOneStart, ignoreOrder: true, "a member without a value in this test");
        var run = await Start(fixture, body);
        foreach (var name in body.Select(member => member.Key).Except(_ofEveryRun))
        {
            Text(run, name).ShouldNotBe(Text(bare, name), $"{name} does not show");
        }

        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Failed, DeviceOutcome.Failed, DeviceOutcome.Failed);
        var relaunched = await fixture.Post(fixture.Client, $"/v1/runs/{run["id"]}:relaunch", new { outcomes = new[] { "failed" } });
        Same(await Cancelled(fixture, relaunched), run, body, "targets");

        var quote = await fixture.Post(fixture.Client, "/v1/quotes", body);
        Same(quote, run, body, "targets", "input");
        Same(await Cancelled(fixture, await Start(fixture, new { quoteId = $"{quote["id"]}" })), run, body);

        var plan = await fixture.Post(fixture.Client, "/v1/plans", body);
        Text(plan, "guard").ShouldBe(Text(run, "guard"));
        await fixture.Work((await fixture.Claim())!);
        Same(await Cancelled(fixture, await Start(fixture, new { planId = $"{plan["id"]}" })), run, body);

        var now = DateTimeOffset.UtcNow;
        var schedule = await fixture.Post(
            fixture.Client, "/v1/schedules",
            new { name = "s", cron = ScheduleFixture.Minute(now), timeZone = "UTC", run = body, misfire = "once" });
        await fixture.SetNextDue(ScheduleId.Parse($"{schedule["id"]}"), now.AddMinutes(-1));
        await fixture.Host.Fire();
        var fired = (await RunFixture.Get(fixture.Client, $"/v1/runs?scheduleId={schedule["id"]}"))["items"]!.AsArray();
        Same(fired.ShouldHaveSingleItem()!, run, body);
    }

    [Fact]
    public async Task What_only_the_start_of_a_run_says_is_refused_where_it_would_be_dropped()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var values = new Dictionary<string, string>
        {
            ["quoteId"] = $"{QuoteId.New()}", ["planId"] = $"{PlanId.New()}", ["startBy"] = "2099-01-01T00:00:00Z",
        };
        foreach (var name in _ofOneStart)
        {
            var body = Body(fixture, "guard");
            body[name] = values[name];
            foreach (var path in new[] { "/v1/quotes", "/v1/plans" })
            {
                (await PlanTests.Post(fixture.Client, path, body)).Must(HttpStatusCode.UnprocessableEntity).Faults
                    .ShouldBe([$"/{name} not_here"], path);
            }

            var schedule = new JsonObject { ["name"] = "s", ["cron"] = "0 3 * * *", ["timeZone"] = "UTC", ["run"] = body };
            (await PlanTests.Post(fixture.Client, "/v1/schedules", schedule)).Must(HttpStatusCode.UnprocessableEntity).Faults
                .ShouldBe([$"/run/{name} not_here"]);
        }
    }

    [Fact]
    public async Task Beside_a_quote_stands_what_does_not_change_what_was_quoted_and_a_relaunch_repeats_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        var said = Both(fixture);
        var start = new JsonObject { ["quoteId"] = $"{quote["id"]}", ["startBy"] = $"{DateTimeOffset.UtcNow.AddHours(1):O}" };
        foreach (var (name, value) in said)
        {
            if (_besideQuote.Contains(name))
            {
                start[name] = value!.DeepClone();
                continue;
            }

            (await PlanTests.Post(
                fixture.Client, "/v1/runs", new JsonObject { ["quoteId"] = $"{quote["id"]}", [name] = value!.DeepClone() }))
                .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe([$"/{name} not_with_quote"]);
        }

        var run = await Start(fixture, start);
        foreach (var name in _besideQuote)
        {
            Text(run, name).ShouldNotBe("", name);
        }

        ($"{run["labels"]!["ticket"]}", (int)run["priority"]!).ShouldBe(("4711", 3));
        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Failed);
        var again = await fixture.Post(fixture.Client, $"/v1/runs/{run["id"]}:relaunch", new { outcomes = new[] { "failed" } });
        foreach (var name in _besideQuote.Except(["startBy"]))
        {
            Text(again, name).ShouldBe(Text(run, name), name);
        }

        again["startBy"].ShouldBeNull();
    }

    [Fact]
    public async Task Beside_a_plan_stands_when_to_start_within_its_time_and_nothing_else()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var plan = await PlanTests.Ready(fixture);
        foreach (var (name, value) in Both(fixture))
        {
            (await PlanTests.Post(fixture.Client, "/v1/runs", new JsonObject { ["planId"] = plan, [name] = value!.DeepClone() }))
                .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe([$"/{name} not_with_plan"]);
        }

        async Task<Answer> Apply(DateTimeOffset startBy) =>
            await PlanTests.Post(fixture.Client, "/v1/runs", new { planId = plan, startBy });
        (await Apply(DateTimeOffset.UtcNow.AddDays(8))).Must(HttpStatusCode.UnprocessableEntity).Faults
            .ShouldBe(["/startBy out_of_range"]);
        await fixture.Sql("update runs.plan set expires_at = now() - interval '1 second'");
        (await Apply(DateTimeOffset.UtcNow.AddHours(1))).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_expired");
        await fixture.Sql("update runs.plan set expires_at = now() + interval '1 day'");
        (await Apply(DateTimeOffset.UtcNow.AddHours(1))).Must(HttpStatusCode.Accepted).Json.GetProperty("startBy").ValueKind
            .ShouldBe(JsonValueKind.String);
    }

    [Fact]
    public async Task Relaunch_keeps_the_highest_price_of_its_run_unless_it_names_another()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var body = Body(fixture, "guard");
        var run = await Start(fixture, body);
        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Failed);
        (await fixture.Host.Operator().Call(
            "POST", "/operator/v1/prices",
            new { sku = "static-routes/apply/device", unitPrice = new { amount = "80", currency = "USD" } })).Must(HttpStatusCode.Created);
        var failed = new[] { "failed" };
        (await PlanTests.Post(fixture.Client, $"/v1/runs/{run["id"]}:relaunch", new { outcomes = failed }))
            .Must(HttpStatusCode.PaymentRequired).Problem.ShouldBe("price_above_max");
        (await PlanTests.Post(
            fixture.Client, $"/v1/runs/{run["id"]}:relaunch",
            new { outcomes = failed, maxPrice = new { amount = "100", currency = "USD" } })).Must(HttpStatusCode.Accepted);
    }

    /// <summary>Every member that may be asked for together, and not as usual.</summary>
    private static JsonObject Body(RunFixture fixture, string spread)
    {
        var body = Both(fixture);
        body["mode"] = "apply";
        body.Remove(spread == "guard" ? "rollout" : "guard");
        return body;
    }

    private static JsonObject Both(RunFixture fixture)
    {
        var body = JsonNode.Parse(JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        body["version"] = "1";
        body["maxPrice"] = JsonNode.Parse("""{"amount":"70.000000","currency":"USD"}""");
        body["timeoutSeconds"] = 4321;
        body["rollout"] = JsonNode.Parse("""{"batchSize":2,"maxFailures":1}""");
        body["guard"] = JsonNode.Parse(
            """{"confirmSeconds":400,"checks":[{"type":"soak","seconds":7}],"waves":[1,2],"maxFailures":2}""");
        body["labels"] = JsonNode.Parse("""{"ticket":"4711"}""");
        body["priority"] = 3;
        return body;
    }

    private static Task<JsonNode> Start(RunFixture fixture, object body) => fixture.Post(fixture.Client, "/v1/runs", body);

    private static async Task<JsonNode> Cancelled(RunFixture fixture, JsonNode run)
    {
        await fixture.Post(fixture.Client, $"/v1/runs/{run["id"]}:cancel", new { });
        return run;
    }

    private static void Same(JsonNode shown, JsonNode run, JsonObject body, params string[] apart)
    {
        foreach (var name in body.Select(member => member.Key).Except(apart))
        {
            Text(shown, name).ShouldBe(Text(run, name), name);
        }
    }

    private static string Text(JsonNode shown, string name) => shown[name]?.ToJsonString() ?? "";
}
