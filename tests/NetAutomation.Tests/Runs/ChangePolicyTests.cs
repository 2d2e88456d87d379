using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Runs;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class ChangePolicyTests(PostgresServer postgres)
{
    private const string Policy = "/v1/change-policy";

    [Fact]
    public async Task Policy_is_an_admins_under_its_etag_and_says_what_is_wrong_with_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var admin = fixture.Client;
        var none = (await admin.Call("GET", Policy)).Must(HttpStatusCode.OK);
        none.Json.GetProperty("rules").GetArrayLength().ShouldBe(0);
        var rules = new { rules = new[] { new { block = "static-routes", approvals = 1 } } };
        (await admin.Call("PUT", Policy, rules)).Must(HttpStatusCode.PreconditionRequired);
        var set = (await admin.Call("PUT", Policy, rules, none.ETag)).Must(HttpStatusCode.OK);
        set.ETag.ShouldNotBe(none.ETag);
        (await admin.Call("PUT", Policy, rules, none.ETag)).Must(HttpStatusCode.PreconditionFailed);
        (await admin.Call("GET", Policy)).Json.GetProperty("rules")[0].GetProperty("block").GetString().ShouldBe("static-routes");
        var wrong = JsonNode.Parse(
            """
            {"rules": [{"block": "no-such-block"}, {"effect": "read"}, {"approvals": 2}, {"labels": {"": "x"}}]}
            """);
        (await admin.Call("PUT", Policy, wrong, set.ETag)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
            ["/rules/0/block unknown_block", "/rules/1/effect read_only", "/rules/2/approvals out_of_range", "/rules/3/labels label_key"]);
        var operators = await PlanTests.Member(fixture, "operator");
        foreach (var client in new[] { operators, await PlanTests.Member(fixture, "viewer") })
        {
            (await client.Call("GET", Policy)).Must(HttpStatusCode.OK).Json.GetProperty("rules").GetArrayLength().ShouldBe(1);
        }

        (await operators.Call("PUT", Policy, rules, "*")).Must(HttpStatusCode.Forbidden);
        (await (await fixture.Host.CreateTenant()).Client.Call("GET", Policy)).Json.GetProperty("rules").GetArrayLength().ShouldBe(0);
        (await RunFixture.Get(admin, "/v1/audit"))["items"]!.AsArray().Count(each => $"{each!["action"]}" == "change_policy.set")
            .ShouldBe(1);
    }

    [Theory]
    [InlineData("""{}""", true)]
    [InlineData("""{"block":"static-routes"}""", true)]
    [InlineData("""{"block":"config-backup"}""", false)]
    [InlineData("""{"effect":"idempotent"}""", true)]
    [InlineData("""{"effect":"transactional"}""", false)]
    [InlineData("""{"labels":{"role":"edge"}}""", true)]
    [InlineData("""{"labels":{}}""", true)]
    [InlineData("""{"labels":{"role":"edge","x":"y"}}""", false)]
    [InlineData("""{"labels":{"role":"spine"}}""", false)]
    [InlineData("""{"block":"static-routes","labels":{"role":"spine"}}""", false)]
    public async Task Rule_fits_a_write_by_all_that_it_names(string rule, bool asks)
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await Set(fixture, rule);
        var answer = await PlanTests.Post(fixture.Client, "/v1/runs", fixture.Apply("10.9.0.0/16"));
        (answer.Status == HttpStatusCode.Forbidden).ShouldBe(asks, answer.Text);
        // Neither a check nor a device that no rule fits needs one.
        (await PlanTests.Post(fixture.Client, "/v1/runs", With(fixture, "mode", "check"))).Must(HttpStatusCode.Accepted);
        var core = new JsonObject { ["deviceIds"] = new JsonArray($"{fixture.Devices[1]}") };
        (await PlanTests.Post(fixture.Client, "/v1/runs", With(fixture, "targets", core))).Status.ShouldBe(
            asks && !rule.Contains("edge", StringComparison.Ordinal) ? HttpStatusCode.Forbidden : HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Every_unplanned_write_is_refused_before_anything_is_held()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var body = fixture.Apply("10.9.0.0/16");
        var failed = await fixture.StartRun();
        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Failed);
        var quote = (await fixture.Post(fixture.Client, "/v1/quotes", body))["id"]!.GetValue<string>();
        await Set(fixture);
        var reservations = await fixture.Scalar<long>("select count(*) from billing.reservation");

        async Task Refused(string path, object each) =>
            (await PlanTests.Post(fixture.Client, path, each)).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("approval_required");
        await Refused("/v1/runs", body);
        await Refused("/v1/runs", new { quoteId = quote });
        await Refused("/v1/runs:batch", new { runs = new[] { With(fixture, "mode", "check"), JsonNode.Parse(Text(body))! } });
        await Refused($"/v1/runs/{failed}:relaunch", new { outcomes = new[] { "failed" } });

        (await fixture.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(reservations);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }

    [Theory]
    [InlineData("""{}""", "/block", "rules[1] of GET /v1/change-policy fits: every write.")]
    [InlineData(
        """{"block":"static-routes","effect":"idempotent"}""", "/block",
        "rules[1] of GET /v1/change-policy fits: block static-routes; effect idempotent.")]
    [InlineData(
        """{"labels":{"role":"core"}}""", "/targets", "rules[1] of GET /v1/change-policy fits: labels role=core of r002.")]
    public async Task Refusal_names_the_rule_a_device_that_it_fits_and_the_call_that_comes_next(string rule, string pointer, string why)
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 3);
        var plan = await PlanTests.Ready(fixture);
        await Set(fixture, """{"labels":{"role":"spine"}},""" + rule);
        async Task Told(object body, string next)
        {
            var refused = (await PlanTests.Post(fixture.Client, "/v1/runs", body)).Must(HttpStatusCode.Forbidden);
            refused.Faults.ShouldBe([$"{pointer} approval_required"]);
            foreach (var text in new[] { refused.Json.GetProperty("detail"), refused.Json.GetProperty("errors")[0].GetProperty("detail") })
            {
                text.GetString().ShouldStartWith($"{why} ");
                text.GetString()!.ShouldContain(next);
            }
        }

        await Told(fixture.Apply("10.9.0.0/16"), "POST /v1/plans;");
        await Told(new { planId = plan }, $"POST /v1/plans/{plan}:approve");
        var schedule = await fixture.Schedule("0 3 * * *");
        await Fire(fixture, schedule);
        foreach (var list in new[] { "occurrences", "preview" })
        {
            $"{(await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/{list}"))["items"]![0]!["blocked"]!["detail"]}"
                .ShouldBe($"{why} Another member approves the schedule with POST /v1/schedules/{schedule}:approve.");
        }
    }

    [Fact]
    public async Task Author_withdraws_a_schedule_that_was_approved()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        await Set(fixture);
        var schedule = await fixture.Schedule("0 3 * * *");
        var path = $"/v1/schedules/{schedule}";
        (await (await PlanTests.Member(fixture, "operator")).Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.OK);
        (await fixture.Client.Call("POST", $"{path}:refuse", new { reason = "not yet" }, "*")).Must(HttpStatusCode.OK)
            .Json.GetProperty("approval").GetString().ShouldBe("refused");
        (await Fire(fixture, schedule)).ShouldBe(["refused approval_required"]);
        (await fixture.Client.Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("own_plan");
    }

    [Fact]
    public async Task Plan_that_a_rule_fits_is_applied_once_another_member_has_approved_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var early = await PlanTests.Ready(fixture);
        await Set(fixture);
        var plan = await PlanTests.Ready(fixture);
        var other = await PlanTests.Member(fixture, "operator");
        foreach (var waits in new[] { early, plan })
        {
            var shown = await RunFixture.Get(fixture.Client, $"/v1/plans/{waits}");
            (shown["state"]!.GetValue<string>(), shown["approvalRequired"]!.GetValue<bool>()).ShouldBe(("ready", true));
            $"{(await RunFixture.Get(fixture.Client, $"/v1/plans/{waits}/why"))["gates"]![0]!["code"]}".ShouldBe("approval");
            foreach (var client in new[] { fixture.Client, other })
            {
                (await PlanTests.Post(client, "/v1/runs", new { planId = waits })).Must(HttpStatusCode.Forbidden)
                    .Problem.ShouldBe("approval_required");
            }

            (await PlanTests.Post(fixture.Client, $"/v1/plans/{waits}:approve", null)).Must(HttpStatusCode.Forbidden);
        }

        var told = (await RunFixture.Get(fixture.Client, "/v1/audit"))["items"]!.AsArray()
            .First(each => $"{each!["action"]}" == "plan.ready" && $"{each["subject"]}" == plan)!;
        told["data"]!["approvalRequired"]!.GetValue<bool>().ShouldBeTrue();
        (await PlanTests.Post(other, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.OK);
        (await RunFixture.Get(fixture.Client, $"/v1/plans/{plan}/why"))["gates"]!.AsArray().ShouldBeEmpty();
        (await PlanTests.Post(
            fixture.Client, "/v1/runs:batch", new { runs = new[] { new { planId = plan } } })).Must(HttpStatusCode.Accepted);
        (await PlanTests.Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("plan_used");
    }

    [Fact]
    public async Task Schedule_that_a_rule_fits_starts_runs_once_another_member_has_approved_it_as_it_is()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        await Set(fixture);
        var other = await PlanTests.Member(fixture, "operator");
        var schedule = await fixture.Schedule("0 3 * * *");
        var path = $"/v1/schedules/{schedule}";
        (await Approval(fixture, schedule)).ShouldBe("awaiting_approval");
        (await Upcoming(fixture, schedule)).ShouldBe("approval_required");
        (await Fire(fixture, schedule)).ShouldBe(["refused approval_required"]);

        var read = (await other.Call("GET", path)).ETag;
        (await fixture.Client.Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("own_plan");
        (await other.Call("POST", $"{path}:approve")).Must(HttpStatusCode.PreconditionRequired);
        (await fixture.Client.Call("PATCH", path, new { run = fixture.Apply("10.8.0.0/16") }, "*")).Must(HttpStatusCode.OK);
        (await other.Call("POST", $"{path}:approve", null, read)).Must(HttpStatusCode.PreconditionFailed);
        var approved = (await other.Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.OK);
        approved.Json.GetProperty("approval").GetString().ShouldBe("approved");
        (await Upcoming(fixture, schedule)).ShouldBe("");
        (await Fire(fixture, schedule)).ShouldBe(["started", "refused approval_required"]);
        await fixture.CancelFiredRun();

        (await fixture.Client.Call("PATCH", path, new { }, "*")).Must(HttpStatusCode.OK);
        (await Approval(fixture, schedule)).ShouldBe("approved");
        (await fixture.Client.Call("PATCH", path, new { cron = "0 4 * * *" }, "*")).Must(HttpStatusCode.OK);
        (await Approval(fixture, schedule)).ShouldBe("awaiting_approval");
        (await other.Call("POST", $"{path}:refuse", new { reason = "too early" }, "*")).Must(HttpStatusCode.OK);
        (await Approval(fixture, schedule)).ShouldBe("refused");
        (await Fire(fixture, schedule)).ShouldBe(["refused approval_required", "started", "refused approval_required"]);

        // Who takes it over is its author from then on.
        (await other.Call("PATCH", path, new { }, "*")).Must(HttpStatusCode.OK);
        (await Approval(fixture, schedule)).ShouldBe("awaiting_approval");
        (await other.Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.Forbidden);
        (await (await fixture.Host.CreateTenant()).Client.Call("POST", $"{path}:approve", null, "*")).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Schedule_that_was_there_before_the_rule_waits_from_its_next_occurrence_on()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var schedule = await fixture.Schedule("0 3 * * *");
        await Set(fixture);
        (await Approval(fixture, schedule)).ShouldBe("");
        (await Fire(fixture, schedule)).ShouldBe(["refused approval_required"]);
        (await Approval(fixture, schedule)).ShouldBe("awaiting_approval");
        (await RunFixture.Get(fixture.Client, "/v1/audit"))["items"]!.AsArray()
            .Count(each => $"{each!["action"]}" == "schedule.awaiting_approval").ShouldBe(1);
        (await fixture.Client.Call("PUT", Policy, new { rules = Array.Empty<object>() }, "*")).Must(HttpStatusCode.OK);
        (await Fire(fixture, schedule)).ShouldBe(["started", "refused approval_required"]);
    }

    private static async Task Set(RunFixture fixture, string rule = "{}") =>
        (await fixture.Client.Call("PUT", Policy, JsonNode.Parse($$"""{"rules":[{{rule}}]}"""), "*")).Must(HttpStatusCode.OK);

    private static string Text(object body) => System.Text.Json.JsonSerializer.Serialize(body);

    private static JsonNode With(RunFixture fixture, string name, JsonNode value)
    {
        var body = JsonNode.Parse(Text(fixture.Apply("10.9.0.0/16")))!;
        body[name] = value;
        return body;
    }

    private static async Task<string> Approval(RunFixture fixture, ScheduleId schedule) =>
        $"{(await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}"))["approval"]}";

    private static async Task<string> Upcoming(RunFixture fixture, ScheduleId schedule) =>
        $"{(await RunFixture.Get(fixture.Client, $"/v1/schedules/{schedule}/preview"))["items"]![0]!["blocked"]?["code"]}";

    /// <summary>One more occurrence; what became of all of them, newest first.</summary>
    private static async Task<List<string>> Fire(RunFixture fixture, ScheduleId schedule)
    {
        await fixture.Sql(
            """
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state)
            select tenant_id, id, now(), 'due' from scheduling.schedule where id = $1
            """,
            schedule.Value);
        await fixture.Host.Fire();
        return await fixture.Occurrences(schedule);
    }
}
