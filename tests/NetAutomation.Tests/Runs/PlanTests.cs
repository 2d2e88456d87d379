using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class PlanTests(PostgresServer postgres)
{
    private const string Before = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    [Fact]
    public async Task Plan_shows_its_check_and_is_applied_as_it_was_checked_at_its_prices()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!;
        body["labels"] = new JsonObject { ["ticket"] = "4711" };
        body["rollout"] = new JsonObject { ["batchSize"] = 1 };
        var made = (await Post(fixture.Client, "/v1/plans", body)).Must(HttpStatusCode.Accepted);
        var path = made.Location!;
        path.ShouldBe($"/v1/plans/{made.Id}");
        made.Json.GetProperty("state").GetString().ShouldBe("planning");
        (await Gates(fixture, made.Id)).ShouldBe(["check"]);
        (await Post(fixture.Client, "/v1/runs", new { planId = made.Id })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_not_ready");
        var check = (await fixture.Claim())!;
        $"{check.Id}".ShouldBe(made.Json.GetProperty("checkRunId").GetString());
        check.Mode.ShouldBe(RunMode.Check);
        var waiting = fixture.Client.GetAsync($"{path}?wait=30");
        await Check(fixture, check);
        (await waiting).StatusCode.ShouldBe(HttpStatusCode.OK);

        var ready = (await fixture.Client.Call("GET", path)).Must(HttpStatusCode.OK);
        ready.ETag.ShouldNotBe(made.ETag);
        ready.Json.GetProperty("state").GetString().ShouldBe("ready");
        ready.Json.GetProperty("ceiling").GetProperty("amount").GetString().ShouldBe("0.200000");
        ready.Json.GetProperty("summary").GetProperty("changed").GetInt32().ShouldBe(2);
        ready.Json.GetProperty("approvalRequired").GetBoolean().ShouldBeFalse();
        (await Gates(fixture, made.Id)).ShouldBeEmpty();
        var devices = (await RunFixture.Get(fixture.Client, $"{path}/devices"))["items"]!.AsArray();
        devices.Select(device => $"{device!["name"]} {device["outcome"]} {device["before"]} {device["diff"]}")
            .ShouldBe([$"r002 changed {Before} + ip route", $"r001 changed {Before} + ip route"]);

        (await fixture.Host.Operator().Call(
            "POST", "/operator/v1/prices",
            new { sku = "static-routes/apply/device", unitPrice = new { amount = "0.9", currency = "USD" } })).Must(HttpStatusCode.Created);
        var run = await RunFixture.Post(fixture.Client, "/v1/runs", new { planId = made.Id }, null, 202);
        run["planId"]!.GetValue<string>().ShouldBe(made.Id);
        run["ceiling"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        run["labels"]!["ticket"]!.GetValue<string>().ShouldBe("4711");
        var apply = (await fixture.Claim())!;
        apply.Mode.ShouldBe(RunMode.Apply);
        apply.Rollout!.BatchSize.ShouldBe(1);
        apply.Devices.Select(device => device.Planned).ShouldBe([Before, Before]);
        await fixture.Work(apply);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{apply.Id}"))["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        var used = (await fixture.Client.Call("GET", path)).Json;
        (used.GetProperty("state").GetString(), used.GetProperty("runId").GetString()).ShouldBe(("used", $"{apply.Id}"));
        (await RunFixture.Get(fixture.Client, "/v1/plans?state=used"))["items"]!.AsArray().Count.ShouldBe(1);
        (await RunFixture.Get(fixture.Client, "/v1/plans?state=ready"))["items"]!.AsArray().ShouldBeEmpty();
        await Told(fixture, "plan.created plan.ready plan.used");
    }

    [Fact]
    public async Task Plan_that_is_used_several_times_at_once_starts_one_run()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var plan = await Ready(fixture);
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Post(fixture.Client, "/v1/runs", new { planId = plan })));
        answers.Count(answer => answer.Status == HttpStatusCode.Accepted).ShouldBe(1);
        answers.Where(answer => answer.Status != HttpStatusCode.Accepted)
            .ShouldAllBe(answer => answer.Status == HttpStatusCode.Conflict && answer.Problem == "plan_used");
        (await fixture.Scalar<long>("select count(*) from runs.run where mode = 'apply'")).ShouldBe(1);
    }

    [Fact]
    public async Task Plan_whose_time_is_over_is_expired_and_is_neither_applied_nor_approved()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var plan = await Ready(fixture);
        var other = await Member(fixture, "operator");
        var before = (await fixture.Client.Call("GET", $"/v1/plans/{plan}")).ETag;
        await fixture.Sql("update runs.plan set expires_at = now() - interval '1 second'");
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_expired");
        (await Post(other, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_expired");
        var expired = await fixture.Client.Call("GET", $"/v1/plans/{plan}");
        expired.Json.GetProperty("state").GetString().ShouldBe("expired");
        expired.ETag.ShouldNotBe(before);
        (await RunFixture.Get(fixture.Client, "/v1/plans?state=expired"))["items"]!.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task Plan_with_a_device_that_fails_its_check_fails_and_names_it_unless_that_is_allowed()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var strict = await Made(fixture);
        await Check(fixture, (await fixture.Claim())!, DeviceOutcome.Failed);
        (await State(fixture, strict)).ShouldBe("failed");
        var why = (await RunFixture.Get(fixture.Client, $"/v1/plans/{strict}/why"))["gates"]!.AsArray().ShouldHaveSingleItem()!;
        $"{why["code"]} {why["detail"]}".ShouldBe("check_failed r001: task_failed");
        (await Post(fixture.Client, "/v1/runs", new { planId = strict })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_not_ready");

        var lenient = await Made(fixture, allowFailed: true);
        await Check(fixture, (await fixture.Claim())!, DeviceOutcome.Failed);
        (await State(fixture, lenient)).ShouldBe("ready");
        (await Post(fixture.Client, "/v1/runs", new { planId = lenient })).Must(HttpStatusCode.Accepted);
        var apply = (await fixture.Claim())!;
        apply.Devices.Select(device => (device.CheckFailed, device.Planned)).ShouldBe([(true, null), (false, Before)]);
        await fixture.Work(apply);

        var hopeless = await Made(fixture, allowFailed: true);
        await Check(fixture, (await fixture.Claim())!, DeviceOutcome.Failed, DeviceOutcome.Unreachable);
        (await State(fixture, hopeless)).ShouldBe("failed");
        var cancelled = await Made(fixture, allowFailed: true);
        var run = (await RunFixture.Get(fixture.Client, $"/v1/plans/{cancelled}"))["checkRunId"];
        await fixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { });
        (await State(fixture, cancelled)).ShouldBe("failed");
    }

    [Theory]
    [InlineData(true, "drifted")]
    [InlineData(false, "used")]
    public async Task Plan_that_finds_every_device_drifted_is_drifted_and_costs_nothing_for_them(bool both, string state)
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var plan = await Ready(fixture);
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Accepted);
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        for (var i = 0; i < 2; i++)
        {
            var device = run.Devices[i].Id;
            var drifted = RunEvent.Of(DateTimeOffset.UtcNow, new DeviceReport(
                device, DeviceOutcome.NotStarted, false, true, "drift", null, null, null, null, null, []));
            (await fixture.Write(
                run, RunFixture.Started(device), both || i == 0 ? drifted : RunFixture.Reported(device, DeviceOutcome.Changed)))
                .ShouldBeTrue();
        }

        (await fixture.Finish(run)).ShouldBeTrue();
        (await State(fixture, plan)).ShouldBe(state);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}"))["charged"]!["amount"]!.GetValue<string>()
            .ShouldBe(both ? "0.000000" : "0.150000");
        (await Gates(fixture, plan)).ShouldBe(both ? ["drift", "drift"] : []);
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_used");
    }

    [Fact]
    public async Task Device_that_a_lost_attempt_may_have_changed_is_not_compared_with_the_plan_again()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var plan = await Ready(fixture);
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Accepted);
        var run = (await fixture.Claim())!;
        run.Devices.ShouldHaveSingleItem().Planned.ShouldBe(Before);
        await fixture.Sql("update runs.run_device set verify = true");
        await using var scope = fixture.Host.Services.GetRequiredService<IServiceScopeFactory>().CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<RunQueue>().Read(
            new RunClaim(run.Tenant, run.Id, run.Attempt, run.Fence), default)).Devices.ShouldHaveSingleItem().Planned.ShouldBeNull();
    }

    [Fact]
    public async Task Plan_whose_secret_is_rotated_or_whose_device_is_gone_is_not_applied()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "pay_per_use" });
        var secret = $"{(await fixture.Post(
            fixture.Client, "/v1/credentials", new { name = "md5", kind = "secret", password = "md5-key-1" }))["id"]}";
        var neighbor = new { address = "10.66.0.9", remoteAs = 65002, password = new { credentialId = secret } };
        var body = new
        {
            block = "bgp-neighbors", mode = "apply", targets = new { all = true },
            input = new { asn = 65001, neighbors = new[] { neighbor } },
        };
        var made = (await Post(fixture.Client, "/v1/plans", body)).Must(HttpStatusCode.Accepted);
        await Check(fixture, (await fixture.Claim())!);
        (await fixture.Client.Call("PATCH", $"/v1/credentials/{secret}", new { password = "md5-key-2" }, "*")).Must(HttpStatusCode.OK);
        (await Post(fixture.Client, "/v1/runs", new { planId = made.Id })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_drift");
        (await State(fixture, made.Id)).ShouldBe("ready");

        var plan = await Ready(fixture);
        (await fixture.Client.Call("PATCH", $"/v1/devices/{fixture.Devices[0]}", new { enabled = false }, "*")).Must(HttpStatusCode.OK);
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_drift");
    }

    [Fact]
    public async Task Plan_is_refused_where_its_body_does_not_fit()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "config-backup", kind = "pay_per_use" });
        var plan = await Ready(fixture);
        var quote = await fixture.Scalar<Guid>("select quote_id from runs.plan");
        async Task<string> Faults(string path, object body) =>
            string.Join(' ', (await Post(fixture.Client, path, body)).Must(HttpStatusCode.UnprocessableEntity).Faults);
        (await Faults("/v1/runs", new { planId = plan, mode = "apply", priority = 3 }))
            .ShouldBe("/mode not_with_plan /priority not_with_plan");
        (await Faults("/v1/runs", new { planId = $"{PlanId.New()}" })).ShouldBe("/planId unknown_plan");
        (await Faults("/v1/runs", new { quoteId = $"{new QuoteId(quote)}" })).ShouldBe("/quoteId unknown_quote");
        (await Faults("/v1/quotes", new { planId = plan })).ShouldBe("/planId not_here");
        (await Faults("/v1/plans", new { planId = plan })).ShouldBe("/planId not_here");
        var run = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        JsonObject With(string name, JsonNode value) => new(run.Where(each => each.Key != name)
            .Select(each => KeyValuePair.Create(each.Key, each.Value?.DeepClone())).Append(KeyValuePair.Create(name, (JsonNode?)value)));
        (await Faults("/v1/plans", With("mode", "check"))).ShouldBe("/mode not_here");
        (await Faults("/v1/plans", With("startBy", "2099-01-01T00:00:00Z"))).ShouldBe("/startBy not_here");
        (await Faults("/v1/plans", new { block = "config-backup", targets = new { all = true } })).ShouldBe("/block mode_not_supported");
        (await Faults("/v1/schedules", new { name = "s", cron = "0 3 * * *", timeZone = "UTC", run = new { planId = plan } }))
            .ShouldBe("/run/planId not_here");
        (await Post(fixture.Client, "/v1/plans", With("maxPrice", JsonNode.Parse("""{"amount":"0.01","currency":"USD"}""")!)))
            .Must(HttpStatusCode.PaymentRequired).Problem.ShouldBe("price_above_max");
    }

    [Fact]
    public async Task Plan_is_approved_by_another_member_with_the_role_and_never_by_its_author()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var (other, viewer) = (await Member(fixture, "operator"), await Member(fixture, "viewer"));
        var own = fixture.Host.Customer(
            fixture.Tenant.EndpointId,
            (await fixture.Client.Call("POST", "/v1/api-keys", new { name = "second", memberId = await Me(fixture.Client) }))
                .Must(HttpStatusCode.Created).Json.GetProperty("secret").GetString()!);
        var plan = await Made(fixture);
        (await Post(other, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_not_ready");
        await Check(fixture, (await fixture.Claim())!);
        foreach (var author in new[] { fixture.Client, own })
        {
            var refused = (await Post(author, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.Forbidden);
            refused.Problem.ShouldBe("own_plan");
            refused.Json.GetProperty("detail").GetString()!.ShouldContain("a key counts as the member that it belongs to");
        }

        (await Post(viewer, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("role_insufficient");
        (await other.Call("POST", $"/v1/plans/{plan}:approve", null, "\"1\"")).Must(HttpStatusCode.PreconditionFailed);
        (await Post(other, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.OK).Json.GetProperty("decidedBy").GetString()
            .ShouldBe(await Me(other));
        (await State(fixture, plan)).ShouldBe("approved");
        (await Post(other, $"/v1/plans/{plan}:refuse", new { reason = "\u202e" })).Must(HttpStatusCode.UnprocessableEntity);
        (await Post(other, $"/v1/plans/{plan}:refuse", new { reason = "not on a Friday" })).Must(HttpStatusCode.OK);
        (await fixture.Client.Call("GET", $"/v1/plans/{plan}")).Json.GetProperty("reason").GetString().ShouldBe("not on a Friday");
        (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_not_ready");
        (await Post(other, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("plan_not_ready");
        await Told(fixture, "plan.created plan.ready plan.approved plan.refused");
    }

    [Fact]
    public async Task Plan_is_withdrawn_by_its_author_while_it_is_checked_ready_or_approved()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await Member(fixture, "operator");
        var (ready, approved) = (await Ready(fixture), await Ready(fixture));
        (await Post(other, $"/v1/plans/{approved}:approve", null)).Must(HttpStatusCode.OK);
        var planning = await Made(fixture);
        foreach (var plan in new[] { planning, ready, approved })
        {
            var withdrawn = (await Post(fixture.Client, $"/v1/plans/{plan}:refuse", new { reason = "wrong" })).Must(HttpStatusCode.OK);
            (withdrawn.Json.GetProperty("state").GetString(), withdrawn.Json.GetProperty("decidedBy").GetString())
                .ShouldBe(("refused", await Me(fixture.Client)));
            (await Post(fixture.Client, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.Conflict)
                .Problem.ShouldBe("plan_not_ready");
        }

        await Check(fixture, (await fixture.Claim())!);
        (await State(fixture, planning)).ShouldBe("refused");
    }

    [Fact]
    public async Task Plan_that_was_never_applied_goes_90_days_after_its_end_with_its_quote_and_without_its_check()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await Member(fixture, "operator");
        var (expired, refused, ready, used) = (await Ready(fixture), await Ready(fixture), await Ready(fixture), await Ready(fixture));
        (await Post(other, $"/v1/plans/{refused}:refuse", new { reason = "no" })).Must(HttpStatusCode.OK);
        var failed = await Made(fixture);
        await Check(fixture, (await fixture.Claim())!, DeviceOutcome.Failed);
        (await Post(fixture.Client, "/v1/runs", new { planId = used })).Must(HttpStatusCode.Accepted);
        await fixture.Work((await fixture.Claim())!);
        var plans = new[] { expired, refused, failed, used, ready };
        var checks = new Dictionary<string, string>();
        foreach (var plan in plans)
        {
            checks[plan] = (await RunFixture.Get(fixture.Client, $"/v1/plans/{plan}"))["checkRunId"]!.GetValue<string>();
        }

        // None of these ends counts for a plan that ended otherwise.
        await fixture.Sql("update runs.plan set decided_at = now() - interval '89 days' where state = 'refused'");
        await fixture.Sql("update runs.plan set expires_at = now() - interval '89 days' where id = $1", PlanId.Parse(expired).Value);
        await fixture.Sql("update runs.plan set expires_at = now() - interval '91 days' where state in ('refused', 'failed', 'used')");
        await Forget(fixture);
        foreach (var plan in plans)
        {
            (await fixture.Client.Call("GET", $"/v1/plans/{plan}")).Must(HttpStatusCode.OK);
        }

        await fixture.Sql("update runs.plan set decided_at = now() - interval '91 days' where state = 'refused'");
        await fixture.Sql("update runs.plan set expires_at = now() - interval '91 days' where id = $1", PlanId.Parse(expired).Value);
        await fixture.Sql("update runs.run set finished_at = now() - interval '91 days' where mode = 'check'");
        await Forget(fixture);
        foreach (var plan in plans)
        {
            var kept = plan == used || plan == ready;
            (await fixture.Client.Call("GET", $"/v1/plans/{plan}")).Must(kept ? HttpStatusCode.OK : HttpStatusCode.NotFound);
            $"{(await RunFixture.Get(fixture.Client, $"/v1/runs/{checks[plan]}"))["planId"]}".ShouldBe(kept ? plan : "");
        }

        // Five checks and one apply have a quote each; of the plans' own, that of the ready one is left besides.
        (await fixture.Scalar<long>("select count(*) from runs.quote")).ShouldBe(7);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(6);
    }

    [Fact]
    public async Task Plan_of_another_tenant_is_not_there()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var plan = await Ready(fixture);
        var stranger = (await fixture.Host.CreateTenant()).Client;
        foreach (var path in new[] { "", "/devices", "/why" })
        {
            (await stranger.Call("GET", $"/v1/plans/{plan}{path}")).Must(HttpStatusCode.NotFound);
        }

        (await Post(stranger, $"/v1/plans/{plan}:approve", null)).Must(HttpStatusCode.NotFound);
        (await Post(stranger, "/v1/runs", new { planId = plan })).Must(HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/planId unknown_plan"]);
        (await RunFixture.Get(stranger, "/v1/plans"))["items"]!.AsArray().ShouldBeEmpty();
    }

    internal static async Task<string> Made(RunFixture fixture, bool allowFailed = false)
    {
        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!;
        body["allowFailed"] = allowFailed;
        return (await Post(fixture.Client, "/v1/plans", body)).Must(HttpStatusCode.Accepted).Id;
    }

    /// <summary>A plan of the tenant's first member whose check has ended well.</summary>
    internal static async Task<string> Ready(RunFixture fixture)
    {
        var plan = await Made(fixture);
        await Check(fixture, (await fixture.Claim())!);
        return plan;
    }

    internal static async Task<HttpClient> Member(RunFixture fixture, string role) =>
        fixture.Host.Customer(fixture.Tenant.EndpointId, (await fixture.Client.NewMemberKey(role)).Secret);

    internal static async Task<Answer> Post(HttpClient client, string path, object? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        request.Content = body is null ? null : System.Net.Http.Json.JsonContent.Create(body);
        using var answer = await client.SendAsync(request);
        return new Answer(
            answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.ETag?.Tag, answer.Headers.Location?.ToString());
    }

    /// <summary>Plays the worker of a check: each device has the outcome at its position, and the configuration before.</summary>
    private static async Task Check(RunFixture fixture, ClaimedRun run, params DeviceOutcome[] outcomes)
    {
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        for (var i = 0; i < run.Devices.Count; i++)
        {
            var outcome = i < outcomes.Length ? outcomes[i] : DeviceOutcome.Changed;
            var report = RunFixture.Reported(run.Devices[i].Id, outcome);
            (await fixture.Write(
                run, RunFixture.Started(run.Devices[i].Id),
                outcome == DeviceOutcome.Changed ? report with { Report = report.Report! with { BeforeHash = Before } } : report))
                .ShouldBeTrue();
        }

        (await fixture.Finish(run)).ShouldBeTrue();
    }

    private static async Task Forget(RunFixture fixture)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<RunQueue>().ForgetPlans(default);
    }

    private static async Task<string> State(RunFixture fixture, string plan) =>
        (await RunFixture.Get(fixture.Client, $"/v1/plans/{plan}"))["state"]!.GetValue<string>();

    private static async Task<string[]> Gates(RunFixture fixture, string plan) =>
        [.. (await RunFixture.Get(fixture.Client, $"/v1/plans/{plan}/why"))["gates"]!.AsArray().Select(gate => $"{gate!["code"]}")];

    /// <summary>Waits until the feed has these events of plans.</summary>
    private static Task Told(RunFixture fixture, string events) => Eventually.Holds(
        async () => events == string.Join(
            ' ', (await RunFixture.Get(fixture.Client, "/v1/feed"))["items"]!.AsArray().Select(each => $"{each!["type"]}")
                .Where(type => type.StartsWith("plan.", StringComparison.Ordinal))),
        events);

    private static async Task<string> Me(HttpClient client) =>
        (await RunFixture.Get(client, "/v1/me"))["memberId"]!.GetValue<string>();
}
