using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Runs;
using NetAutomation.Tests.History;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>Restores of configurations through the API; the test plays the worker.</summary>
public sealed class RestoreConfigTests(PostgresServer postgres)
{
    private static readonly JsonObject _nothing = [];

    [Fact]
    public async Task Restore_of_a_config_starts_one_guarded_run_of_its_device_at_the_price_of_the_block()
    {
        await using var kept = await Kept.Start(postgres);
        var (client, path) = (kept.Client, kept.Restore());

        var run = await RunFixture.Post(client, path, _nothing, "restore-0001-restore", 202);
        var again = await RunFixture.Post(client, path, _nothing, "restore-0001-restore", 202);

        $"{again["id"]}".ShouldBe($"{run["id"]}");
        $"{run["block"]} {run["mode"]} {run["effect"]} {run["input"]!["configId"]} {run["ceiling"]!["amount"]}"
            .ShouldBe($"config-restore apply transactional {kept.Config} 0.150000");
        run["guard"]!["waves"]!.AsArray().Select(wave => (int)wave!).ShouldBe([1]);
        (await RunFixture.Get(client, $"/v1/runs/{run["id"]}/devices"))["items"]!.AsArray().ShouldHaveSingleItem()!["deviceId"]!
            .GetValue<string>().ShouldBe($"{kept.Device}");
    }

    [Fact]
    public async Task Restore_takes_what_a_run_takes_and_a_check_of_it_has_no_guard()
    {
        await using var kept = await Kept.Start(postgres);
        var body = new JsonObject
        {
            ["guard"] = new JsonObject { ["confirmSeconds"] = 400 }, ["labels"] = new JsonObject { ["ticket"] = "4711" },
            ["priority"] = 3, ["timeoutSeconds"] = 900, ["startBy"] = "2100-01-01T00:00:00Z",
            ["maxPrice"] = new JsonObject { ["amount"] = "0.15", ["currency"] = "USD" },
        };
        var run = await RunFixture.Post(kept.Client, kept.Restore(), body, null, 202);
        ((int)run["guard"]!["confirmSeconds"]!, $"{run["labels"]!["ticket"]}", (int)run["priority"]!).ShouldBe((400, "4711", 3));
        body["maxPrice"]!["amount"] = "0.14";
        (await PlanTests.Post(kept.Client, kept.Restore(), body)).Must(HttpStatusCode.PaymentRequired).Problem.ShouldBe("price_above_max");

        var check = await RunFixture.Post(kept.Client, kept.Restore(), new JsonObject { ["mode"] = "check" }, null, 202);
        ($"{check["mode"]}", check["guard"]).ShouldBe(("check", null));
        var both = new JsonObject { ["mode"] = "check", ["guard"] = new JsonObject() };
        (await PlanTests.Post(kept.Client, kept.Restore(), both)).Must(HttpStatusCode.UnprocessableEntity)
            .Problem.ShouldBe("guard_not_applicable");
    }

    [Fact]
    public async Task Config_of_another_device_or_platform_or_none_is_refused_by_name_before_anything_is_priced()
    {
        await using var kept = await Kept.Start(postgres);
        async Task<string> Faults(object input, object targets, string path = "/v1/runs") => string.Join(' ', (await PlanTests.Post(
            kept.Client, path, new { block = "config-restore", mode = "apply", guard = new { }, input, targets }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults);
        static object Of(DeviceId device) => new { deviceIds = new[] { $"{device}" } };
        var config = new { configId = kept.Config };

        (await Faults(config, Of(kept.Other))).ShouldBe("/input/configId other_device");
        (await Faults(config, new { all = true })).ShouldBe("/input/configId other_device");
        (await Faults(config, Of(kept.Other), "/v1/quotes")).ShouldBe("/input/configId other_device");
        (await Faults(new { configId = $"{ConfigId.New()}" }, Of(kept.Device))).ShouldBe("/input/configId unknown_config");
        (await Faults(new { configId = $"{kept.Device}" }, Of(kept.Device))).ShouldBe("/input/configId format");
        (await Faults(new { }, Of(kept.Device))).ShouldBe("/input/configId required");
        (await PlanTests.Post(kept.Client, kept.Restore(kept.Other), _nothing)).Must(HttpStatusCode.NotFound);
        (await PlanTests.Post(kept.Client, $"/v1/devices/{kept.Device}/configs/{ConfigId.New()}:restore", _nothing))
            .Must(HttpStatusCode.NotFound);

        (await kept.Client.Call("PATCH", $"/v1/devices/{kept.Device}", new { platform = "bird" }, "*")).Must(HttpStatusCode.OK);
        (await Faults(config, Of(kept.Device))).ShouldBe("/input/configId other_platform");
        (await PlanTests.Post(kept.Client, kept.Restore(), _nothing)).Must(HttpStatusCode.UnprocessableEntity).Faults
            .ShouldBe(["/input/configId other_platform"]);
        (await kept.Runs.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
    }

    [Fact]
    public async Task Restore_needs_the_block_the_role_and_a_guard()
    {
        await using var kept = await Kept.Start(postgres, buys: false);
        (await PlanTests.Post(kept.Client, kept.Restore(), _nothing)).Must(HttpStatusCode.PaymentRequired)
            .Problem.ShouldBe("no_entitlement");
        await kept.Buy();
        var viewer = await PlanTests.Member(kept.Runs, "viewer");
        (await PlanTests.Post(viewer, kept.Restore(), _nothing)).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("role_insufficient");
        (await PlanTests.Post(await PlanTests.Member(kept.Runs, "operator"), kept.Restore(), _nothing)).Must(HttpStatusCode.Accepted);
        (await PlanTests.Post(kept.Client, "/v1/runs", kept.Body(guard: null))).Must(HttpStatusCode.UnprocessableEntity)
            .Problem.ShouldBe("guard_not_applicable");
    }

    [Fact]
    public async Task Restore_that_the_change_policy_asks_about_is_refused_but_its_check_and_an_approved_plan_of_it_start()
    {
        await using var kept = await Kept.Start(postgres);
        (await kept.Client.Call("PUT", "/v1/change-policy", new { rules = new[] { new { effect = "transactional" } } }, "*"))
            .Must(HttpStatusCode.OK);
        (await PlanTests.Post(kept.Client, kept.Restore(), _nothing)).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("approval_required");
        await kept.Work(await RunFixture.Post(kept.Client, kept.Restore(), new JsonObject { ["mode"] = "check" }, null, 202));

        var plan = (await PlanTests.Post(kept.Client, "/v1/plans", kept.Body(new JsonObject()))).Must(HttpStatusCode.Accepted);
        await kept.Work(null);
        var device = (await RunFixture.Get(kept.Client, $"/v1/plans/{plan.Id}/devices"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        $"{device["outcome"]} {device["diff"]}".ShouldBe("changed + ip route");
        (await PlanTests.Post(kept.Client, "/v1/runs", new { planId = plan.Id })).Must(HttpStatusCode.Forbidden)
            .Problem.ShouldBe("approval_required");
        (await PlanTests.Post(await PlanTests.Member(kept.Runs, "operator"), $"/v1/plans/{plan.Id}:approve", null)).Must(HttpStatusCode.OK);
        var run = (await PlanTests.Post(kept.Client, "/v1/runs", new { planId = plan.Id })).Must(HttpStatusCode.Accepted).Json;

        run.GetProperty("guard").GetProperty("confirmSeconds").GetInt32().ShouldBe(300);
        run.GetProperty("planId").GetString().ShouldBe(plan.Id);
    }

    [Fact]
    public async Task Plan_of_a_restore_whose_config_is_forgotten_meanwhile_has_drifted()
    {
        await using var kept = await Kept.Start(postgres);
        var plan = (await PlanTests.Post(kept.Client, "/v1/plans", kept.Body(new JsonObject()))).Must(HttpStatusCode.Accepted);
        await kept.Work(null);
        await kept.Runs.Sql("delete from history.config");
        (await PlanTests.Post(kept.Client, "/v1/runs", new { planId = plan.Id })).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("plan_drift");
        (await PlanTests.Post(kept.Client, kept.Restore(), _nothing)).Must(HttpStatusCode.NotFound);
    }

    /// <summary>A tenant with two devices; the first one has a configuration, which a run has read.</summary>
    private sealed class Kept : IAsyncDisposable
    {
        private readonly HistoryFixture _history;

        private Kept(HistoryFixture history) => _history = history;

        public RunFixture Runs => _history.Runs;

        public HttpClient Client => Runs.Client;

        public DeviceId Device => Runs.Devices[0];

        public DeviceId Other => Runs.Devices[1];

        public string Config { get; private set; } = "";

        public static async Task<Kept> Start(PostgresServer postgres, bool buys = true)
        {
            var kept = new Kept(new HistoryFixture(postgres));
            await kept._history.InitializeAsync();
            await kept._history.Keep(kept.Runs.Tenant, kept.Device, "hostname r1\n");
            await kept._history.Keep(kept.Runs.Tenant, kept.Other, "hostname r2\n");
            kept.Config = (await HistoryFixture.Configs(kept.Client, kept.Device)).ShouldHaveSingleItem().Id();
            if (buys)
            {
                await kept.Buy();
            }

            return kept;
        }

        public Task<JsonNode> Buy() => Runs.Post(Client, "/v1/purchases", new { block = "config-restore", kind = "pay_per_use" });

        public string Restore(DeviceId? device = null) => $"/v1/devices/{device ?? Device}/configs/{Config}:restore";

        /// <summary>The same as a run of its block.</summary>
        public JsonObject Body(JsonObject? guard)
        {
            var body = new JsonObject
            {
                ["block"] = "config-restore", ["mode"] = "apply", ["input"] = new JsonObject { ["configId"] = Config },
                ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray($"{Device}") },
            };
            if (guard is not null)
            {
                body["guard"] = guard;
            }

            return body;
        }

        /// <summary>Does the next run in check mode.</summary>
        public async Task Work(JsonNode? run)
        {
            var claimed = (await Runs.Claim())!;
            claimed.Mode.ShouldBe(RunMode.Check);
            run?["id"]!.GetValue<string>().ShouldBe($"{claimed.Id}");
            await Runs.Work(claimed);
        }

        public ValueTask DisposeAsync() => _history.DisposeAsync();
    }
}
