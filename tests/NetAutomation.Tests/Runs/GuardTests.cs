using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.History;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>Guards through the API, with a worker that is played by hand.</summary>
public sealed class GuardTests(PostgresServer postgres)
{
    private const string Hash = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    private const string Other = "sha256:0000b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    /// <summary>What is changed of a guarded run, the problem, and its faults.</summary>
    private static readonly (string Change, string Problem, string Faults)[] _refused =
    [
        ("""{"mode":"check"}""", "guard_not_applicable", "/guard guard_not_applicable"),
        ("""{"block":"device-facts","mode":null,"input":{}}""", "guard_not_applicable",
        "/guard guard_not_applicable"),
        ("""{"rollout":{"batchSize":1}}""", "validation_failed", "/rollout not_with_guard"),
        ("""{"guard":{"confirmSeconds":60}}""", "timer_too_short", "/guard/confirmSeconds timer_too_short"),
        ("""{"guard":{"confirmSeconds":9}}""", "validation_failed", "/guard/confirmSeconds out_of_range"),
        ("""{"guard":{"confirmSeconds":3601}}""", "validation_failed", "/guard/confirmSeconds out_of_range"),
        ("""{"guard":{"confirmSeconds":900},"timeoutSeconds":600}""", "validation_failed", "/timeoutSeconds out_of_range"),
        ("""{"guard":{"maxFailures":-1}}""", "validation_failed", "/guard/maxFailures out_of_range"),
        ("""{"guard":{"waves":[]}}""", "validation_failed", "/guard/waves max_items"),
        ("""{"guard":{"waves":[0,"0%","101%","5",1.5,true]}}""", "validation_failed",
        "/guard/waves/0 wave, /guard/waves/1 wave, /guard/waves/2 wave, /guard/waves/3 wave, /guard/waves/4 wave, /guard/waves/5 wave"),
        ("""{"guard":{"waves":[3,2]}}""", "validation_failed", "/guard/waves/1 wave"),
        ("""{"guard":{"checks":[{"type":"soak"}]}}""", "validation_failed", "/guard/checks/0/seconds required"),
        ("""{"guard":{"checks":[{"type":"soak","seconds":1801}]}}""", "validation_failed", "/guard/checks/0/seconds out_of_range"),
        ("""{"guard":{"checks":[{"type":"soak","seconds":9},{"type":"soak","seconds":8}]}}""", "validation_failed",
        "/guard/checks/1 twice"),
        ("""{"guard":{"checks":[{"type":"neighbors","seconds":5}]}}""", "validation_failed",
        "/guard/checks/0/lost required, /guard/checks/0/seconds not_here"),
        ("""{"guard":{"checks":[{"type":"soak","seconds":5,"input":{}}]}}""", "validation_failed", "/guard/checks/0 not_here"),
        ("""{"guard":{"checks":[{"type":"block","block":"no-such-block"}]}}""", "validation_failed",
        "/guard/checks/0/block unknown_block"),
        ("""{"guard":{"checks":[{"type":"block","block":"static-routes","input":{"routes":[]}}]}}""", "validation_failed",
        "/guard/checks/0/input/routes min_items, /guard/checks/0/block not_read"),
        ("""{"guard":{"checks":[{"type":"block","block":"ntp"}]}}""", "validation_failed", "/guard/checks/0/block no_entitlement"),
    ];

    [Fact]
    public async Task Guard_that_cannot_be_held_to_is_refused_before_anything_is_queued()
    {
        await using var fixture = await RunFixture.Start(postgres, 4);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "device-facts", kind = "pay_per_use" });
        foreach (var (change, problem, faults) in _refused)
        {
            var body = Guarded(fixture);
            foreach (var (name, value) in JsonNode.Parse(change)!.AsObject().ToList())
            {
                body[name] = value?.DeepClone();
            }

            foreach (var path in new[] { "/v1/runs", "/v1/quotes" })
            {
                var answer = (await PlanTests.Post(fixture.Client, path, body)).Must(HttpStatusCode.UnprocessableEntity);
                answer.Problem.ShouldBe(problem, $"{change}: {answer.Text}");
                string.Join(", ", answer.Faults).ShouldBe(faults, change);
            }
        }

        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
    }

    [Fact]
    public async Task Timer_that_is_too_short_is_refused_with_the_least_that_is_taken()
    {
        await using var fixture = await RunFixture.Start(postgres, 6);
        var body = Guarded(fixture, """{"confirmSeconds":60,"checks":[{"type":"soak","seconds":20}],"waves":[5]}""");
        var refused = (await PlanTests.Post(fixture.Client, "/v1/runs", body)).Must(HttpStatusCode.UnprocessableEntity);
        var detail = refused.Json.GetProperty("errors")[0].GetProperty("detail").GetString()!;
        var least = int.Parse(detail.Split("is ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        body["guard"]!["confirmSeconds"] = least - 1;
        (await PlanTests.Post(fixture.Client, "/v1/runs", body)).Must(HttpStatusCode.UnprocessableEntity)
            .Problem.ShouldBe("timer_too_short");
        body["guard"]!["confirmSeconds"] = least;
        (await PlanTests.Post(fixture.Client, "/v1/runs", body)).Must(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Waves_count_those_before_them_are_rounded_up_and_cut_where_they_are_large()
    {
        await using var fixture = await RunFixture.Start(postgres, 40);
        foreach (var (devices, waves, ends) in new[]
        {
            (40, """[1,"5%","25%","100%"]""", "1 2 10 35 40"), (40, """["51%"]""", "21 40"), (40, "[60]", "25 40"), (3, "null", "1 3"),
            (40, "null", "1 26 40"), (1, "null", "1"),
            (3, """[2,2,"1%"]""", "refused"),
        })
        {
            var body = Guarded(fixture, $$"""{"waves":{{waves}}}""");
            body["targets"] = new JsonObject
            {
                ["deviceIds"] = new JsonArray([.. fixture.Devices.Take(devices).Select(device => (JsonNode)$"{device}")]),
            };
            var answer = await PlanTests.Post(fixture.Client, "/v1/runs", body);
            (answer.Status == HttpStatusCode.Accepted
                ? string.Join(' ', answer.Json.GetProperty("guard").GetProperty("waves").EnumerateArray()) : "refused")
                .ShouldBe(ends, waves);
        }
    }

    [Fact]
    public async Task Devices_that_are_named_are_changed_in_that_order_also_from_a_plan_and_selected_ones_by_name()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        DeviceId[] order = [fixture.Devices[1], fixture.Devices[2], fixture.Devices[0]];
        var body = Guarded(fixture, """{"waves":[1]}""");
        var named = body.DeepClone();
        named["targets"] = new JsonObject { ["deviceIds"] = new JsonArray([.. order.Select(device => (JsonNode)$"{device}")]) };
        async Task<DeviceId[]> Taken(object what)
        {
            (await PlanTests.Post(fixture.Client, "/v1/runs", what)).Must(HttpStatusCode.Accepted);
            var run = (await fixture.Claim())!;
            await fixture.Work(run);
            run.Devices.Select(device => device.Position).ShouldBe([1, 2, 3]);
            return [.. run.Devices.Select(device => device.Id)];
        }

        (await Taken(named)).ShouldBe(order);
        (await Taken(body)).ShouldBe(fixture.Devices);
        var plan = (await PlanTests.Post(fixture.Client, "/v1/plans", named)).Must(HttpStatusCode.Accepted).Id;
        await fixture.Work((await fixture.Claim())!);
        (await Taken(new { planId = plan })).ShouldBe(order);
    }

    [Fact]
    public async Task Limit_of_a_run_has_room_for_all_waves_and_one_without_is_refused_with_the_least_that_is_taken()
    {
        await using var fixture = await RunFixture.Start(postgres, 48);
        var body = Guarded(
            fixture, """{"confirmSeconds":300,"waves":[1,"5%","25%","100%"],"checks":[{"type":"soak","seconds":60}]}""");
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", body);
        // 1, 2, 9, 25 and 11 devices; the largest takes a login, the longest silence, the soak time, and 5 s for its devices.
        const int Wave = 30 + 30 + 60 + 5;
        quote["guard"]!["waves"]!.AsArray().Select(end => (int)end!).ShouldBe([1, 3, 12, 37, 48]);
        ((int)quote["guard"]!["longestSeconds"]!, (int)quote["timeoutSeconds"]!).ShouldBe(((5 * Wave) + 300, (5 * Wave) + 300));
        body["timeoutSeconds"] = (4 * Wave) + 300 - 1;
        var refused = (await PlanTests.Post(fixture.Client, "/v1/plans", body)).Must(HttpStatusCode.UnprocessableEntity);
        refused.Faults.ShouldBe(["/timeoutSeconds out_of_range"]);
        refused.Text.ShouldContain($"5 waves of up to {Wave} seconds, with a timer of 300, may need {(4 * Wave) + 300} seconds");
        body["timeoutSeconds"] = (4 * Wave) + 300;
        var plan = (await PlanTests.Post(fixture.Client, "/v1/plans", body)).Must(HttpStatusCode.Accepted).Json;
        plan.GetProperty("guard").GetProperty("waves").GetArrayLength().ShouldBe(5);
        (await PlanTests.Post(fixture.Client, "/v1/runs", Guarded(fixture))).Must(HttpStatusCode.Accepted).Json
            .GetProperty("timeoutSeconds").GetInt32().ShouldBe(600);

        var each = Guarded(fixture, """{"checks":[{"type":"soak","seconds":1800}]}""");
        each["guard"]!["waves"] = new JsonArray([.. Enumerable.Range(1, 48).Select(end => (JsonNode)end)]);
        var endless = (await PlanTests.Post(fixture.Client, "/v1/runs", each)).Must(HttpStatusCode.UnprocessableEntity);
        endless.Faults.ShouldBe(["/guard/waves out_of_range"]);
        endless.Text.ShouldContain("a run has 86400 at most");
    }

    [Fact]
    public async Task Plan_carries_its_guard_into_its_check_and_its_apply_and_shows_what_would_take_a_change_back()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var made = (await PlanTests.Post(fixture.Client, "/v1/plans", Guarded(fixture, """{"waves":[1],"maxFailures":1}""")))
            .Must(HttpStatusCode.Accepted);
        made.Json.GetProperty("guard").GetProperty("waves").GetArrayLength().ShouldBe(2);
        var check = (await fixture.Claim())!;
        check.Guard.ShouldNotBeNull().MaxFailures.ShouldBe(1);
        check.Mode.ShouldBe(RunMode.Check);
        (await fixture.Journal(journal => journal.Start(check, default))).ShouldBeTrue();
        foreach (var device in check.Devices)
        {
            await fixture.Write(
                check, RunEvent.Of(DateTimeOffset.UtcNow, new GuardStep(device.Id, "planned", GuardKind.Soft)),
                RunFixture.Reported(device.Id, DeviceOutcome.Changed));
        }

        (await fixture.Finish(check)).ShouldBeTrue();
        (await RunFixture.Get(fixture.Client, $"/v1/plans/{made.Id}/devices"))["items"]!.AsArray()
            .Select(device => $"{device!["guard"]}").ShouldBe(["soft", "soft"]);
        await RunFixture.Post(fixture.Client, "/v1/runs", new { planId = made.Id }, null, 202);
        (await fixture.Claim())!.Guard.ShouldNotBeNull().Waves.ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Reverted_device_fails_the_run_is_free_and_stands_in_receipt_summary_bill_and_relaunch()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await PlanTests.Post(fixture.Client, "/v1/runs", Guarded(fixture, """{"maxFailures":2,"checks":[{"type":"soak","seconds":7}]}"""));
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        await fixture.Write(
            run, RunEvent.Of(DateTimeOffset.UtcNow, new GuardStep(run.Devices[0].Id, "armed", GuardKind.Hard)),
            RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed),
            RunFixture.Reported(run.Devices[1].Id, DeviceOutcome.Reverted), RunFixture.Reported(run.Devices[2].Id, DeviceOutcome.Reverted));
        (await fixture.Finish(run)).ShouldBeTrue();

        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}");
        ($"{view["state"]}", (int)view["summary"]!["reverted"]!, (int)view["summary"]!["changed"]!, $"{view["charged"]!["amount"]}")
            .ShouldBe(("failed", 2, 1, "0.150000"));
        var usage = (await RunFixture.Get(fixture.Client, "/v1/usage"))["items"]!.AsArray();
        usage.Where(each => $"{each!["meter"]}" == "device").Select(each => $"{each!["deviceId"]}").ShouldBe([$"{run.Devices[0].Id}"]);
        var receipts = (await fixture.Client.Call("GET", "/v1/receipts")).Must(HttpStatusCode.OK).Text;
        receipts.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
            .Where(receipt => $"{receipt["outcome"]}" == "reverted").Select(receipt => $"{receipt["price"]!["amount"]}")
            .ShouldBe(["0.000000", "0.000000"]);
        (await fixture.Client.Call("GET", "/v1/usage/focus.csv")).Must(HttpStatusCode.OK).Text.ShouldContain("netautomation:guard");

        var again = (await PlanTests.Post(fixture.Client, $"/v1/runs/{run.Id}:relaunch", new { outcomes = new[] { "reverted" } }))
            .Must(HttpStatusCode.Accepted);
        again.Json.GetProperty("guard").GetProperty("maxFailures").GetInt32().ShouldBe(2);
        (await fixture.Claim())!.Guard.ShouldNotBeNull().SoakSeconds.ShouldBe(7);
    }

    [Fact]
    public async Task Lost_worker_leaves_devices_that_go_back_held_and_reverting_and_its_successor_knows_what_to_look_for()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await PlanTests.Post(fixture.Client, "/v1/runs", Guarded(fixture, """{"waves":[2]}"""));
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        var until = DateTimeOffset.UtcNow.AddMinutes(5);
        (await Keep(fixture, run, 0, until)).ShouldBeTrue();
        (await Keep(fixture, run, 1, until)).ShouldBeTrue();
        (await fixture.Journal(journal => journal.Want(run, run.Devices[1].Id, Other, default))).ShouldBeTrue();
        (await fixture.Journal(journal => journal.Confirm(run, [run.Devices[1].Id], default))).ShouldBeTrue();
        await fixture.Sql("update runs.run set effect = 'unsafe'");
        await LostWorkerTests.ExpireLease(fixture);
        (await LostWorkerTests.Rescue(fixture)).ShouldBe([(run.Id, RunState.Queued)]);
        (await Keep(fixture, run, 2, until)).ShouldBeFalse("its fence has moved on");

        var devices = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/devices"))["items"]!.AsArray();
        devices.Select(device =>
                $"{device!["name"]} {device["phase"]} {device["outcome"]}{device["guard"]} {device["revertsAt"] is not null}")
            .ShouldBe(["r003 waiting  False", "r002 reverting soft True", "r001 reverting soft True"]);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2);

        var next = (await fixture.Claim("w2"))!;
        next.Devices.Select(device => (device.Kept, device.Wanted, device.Confirms, device.Guard, device.Verify)).ShouldBe(
            [(Hash, null, false, GuardKind.Soft, true), (Hash, Other, true, GuardKind.Soft, true)]);
        (await fixture.Journal(async journal =>
            Encoding.UTF8.GetString((await journal.Before(next, next.Devices[0].Id, default))!) == "before\n")).ShouldBeTrue();
        (await fixture.Journal(journal => journal.Start(next, default))).ShouldBeTrue();
        await fixture.Write(next, RunEvent.Of(DateTimeOffset.UtcNow, new GuardStep(next.Devices[0].Id, GuardStep.Reverting)));
        var gates = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/why"))["gates"]!.AsArray();
        gates.Select(gate => $"{gate!["code"]}").ShouldBe(["reverting", "reverting"]);
    }

    /// <summary>When the customer cancels a run whose worker is lost in the middle of a change, and its state after that.</summary>
    [Theory]
    [InlineData("before the loss", "cancelling")]
    [InlineData("queued", "queued")]
    [InlineData("claimed", "claimed")]
    [InlineData("running", "cancelling")]
    public async Task Run_cancelled_around_the_loss_of_its_worker_is_looked_at_begins_nothing_and_ends_cancelled(string when, string state)
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Begun(fixture, """{"waves":[1]}""", keep: 1);
        await CancelWhere(when == "before the loss");
        await Lose(fixture, run);
        await CancelWhere(when == "queued");
        var next = (await fixture.Claim("w2"))!;
        await CancelWhere(when == "claimed");
        next.Devices.Select(device => (device.Id, device.Kept)).ShouldBe([(run.Devices[0].Id, Hash)]);
        (await fixture.Journal(journal => journal.Start(next, default))).ShouldBeTrue();
        await CancelWhere(when == "running");
        (await State(fixture, run)).ShouldBe("cancelling");
        (await fixture.Journal(journal => journal.CancelRequested(next, default))).ShouldBeTrue();
        await Revert(fixture, next);
        (await fixture.Finish(next)).ShouldBeTrue();

        (await State(fixture, run)).ShouldBe("cancelled");
        (await Devices(fixture, run)).ShouldBe("r001 done reverted worker_lost, r002 done not_started cancelled");
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
        (await fixture.Scalar<int>("select running from runs.tenant_quota")).ShouldBe(0);

        async Task CancelWhere(bool now)
        {
            if (now)
            {
                var answer = (await PlanTests.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", null)).Must(HttpStatusCode.Accepted);
                answer.Json.GetProperty("state").GetString().ShouldBe(state);
            }
        }
    }

    [Fact]
    public async Task Cancelled_run_that_had_begun_nothing_when_its_worker_was_lost_ends_without_waiting_for_its_devices()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Begun(fixture, """{"waves":[1]}""", keep: 0);
        await PlanTests.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", null);
        await Attach(fixture, false);
        await Lose(fixture, run);
        var next = (await fixture.Claim("w2"))!;
        next.Devices.ShouldBeEmpty();
        (await fixture.Journal(journal => journal.Start(next, default))).ShouldBeTrue();
        (await fixture.Finish(next)).ShouldBeTrue();
        (await State(fixture, run)).ShouldBe("cancelled");
    }

    [Fact]
    public async Task Look_waits_for_no_device_site_quota_or_free_place_that_only_the_rest_of_its_run_needs_and_the_rest_is_gone_on_with()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var (far, connector) = await Far(fixture);
        var run = await Begun(fixture, """{"waves":[1],"maxFailures":1}""", keep: 1);
        await Lose(fixture, run);
        await Attach(fixture, false, connector);
        var other = await fixture.StartRun(One(fixture.Devices[1], priority: 9));
        await fixture.Sql("update runs.tenant_quota set max_running = 1");
        (await Why(fixture, run)).ShouldBe(["queue"]);

        var look = (await fixture.Claim("w2", last: true))!;
        (look.Id, look.Looks, look.Devices.Single().Id).ShouldBe((run.Id, true, run.Devices[0].Id), "a look goes first");
        var holder = (await fixture.Claim("w3"))!;
        holder.Id.ShouldBe(other, "a look is none of the runs that the quota counts");
        await LostWorkerTests.ExpireLease(fixture);
        (await LostWorkerTests.Rescue(fixture)).ShouldBe([(run.Id, RunState.Queued), (other, RunState.Queued)], ignoreOrder: true);
        (await Devices(fixture, run)).ShouldBe("r001 reverting  , r002 waiting  , z-far waiting  ");
        look = (await fixture.Claim("w2"))!;
        (await fixture.Claim("w3"))!.Id.ShouldBe(other);
        (await fixture.Journal(journal => journal.Start(look, default))).ShouldBeTrue();
        await Revert(fixture, look);
        (await fixture.Finish(look)).ShouldBeTrue();

        (await State(fixture, run)).ShouldBe("queued");
        (await fixture.Scalar<long>($"select count(*) from runs.device_hold where run_id = '{run.Id.Value}'")).ShouldBe(0);
        (await Why(fixture, run)).ShouldBe(["connector_absent", "device_held", "quota"], ignoreOrder: true);
        await fixture.Sql("update runs.tenant_quota set max_running = 2");
        (await fixture.Claim("w2")).ShouldBeNull();
        await Attach(fixture, true, connector);
        await fixture.Post(fixture.Client, $"/v1/runs/{other}:cancel", new { });
        var rest = (await fixture.Claim("w2"))!;
        (rest.Attempt, rest.Looks, rest.Failures).ShouldBe((4, false, 1));
        rest.Devices.Select(device => device.Id).ShouldBe([far, fixture.Devices[1]], ignoreOrder: true);
        await fixture.Work(rest);
        (await Devices(fixture, run)).ShouldBe("r001 done reverted worker_lost, r002 done changed , z-far done changed ");
        (await State(fixture, run)).ShouldBe("failed");
    }

    [Fact]
    public async Task Look_takes_the_devices_that_can_be_reached_and_the_others_are_looked_at_as_soon_as_they_can()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var (far, connector) = await Far(fixture);
        var run = await Begun(fixture, """{"waves":[2]}""", keep: 2);
        await Attach(fixture, false);
        await Lose(fixture, run);
        (await fixture.Claim("w2")).ShouldBeNull();
        (await Why(fixture, run)).ShouldBe(["connector_absent", "connector_absent"]);
        await Attach(fixture, true, connector);
        var first = (await fixture.Claim("w2"))!;
        first.Devices.Single().Id.ShouldBe(far);
        (await fixture.Journal(journal => journal.Start(first, default))).ShouldBeTrue();
        await Revert(fixture, first);
        (await fixture.Finish(first)).ShouldBeTrue();
        (await State(fixture, run)).ShouldBe("queued");
        (await Devices(fixture, run)).ShouldBe("r001 reverting  , z-far done reverted worker_lost");
        (await fixture.Scalar<Guid>("select device_id from runs.device_hold")).ShouldBe(fixture.Devices[0].Value);
        (await fixture.Claim("w2")).ShouldBeNull();

        await PlanTests.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", null);
        (await State(fixture, run)).ShouldBe("queued", "its connector may come back");
        await fixture.Sql("update runs.run_device set reverts_at = now() - interval '12 minutes'");
        await fixture.Sql("update runs.queue set look_at = now()");
        await fixture.Sql("select runs.reopen()");
        var last = (await fixture.Claim("w2"))!;
        last.Devices.Single().Id.ShouldBe(fixture.Devices[0], "nobody waits for ever for what was cancelled");
        (await fixture.Journal(journal => journal.Start(last, default))).ShouldBeTrue();
        await fixture.Write(last, RunFixture.Reported(fixture.Devices[0], DeviceOutcome.Unknown));
        (await fixture.Finish(last)).ShouldBeTrue();
        (await State(fixture, run)).ShouldBe("unknown");
    }

    [Fact]
    public async Task Look_that_finds_too_many_failures_ends_the_run()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Begun(fixture, """{"waves":[1]}""", keep: 1);
        await Lose(fixture, run);
        var look = (await fixture.Claim("w2"))!;
        (await fixture.Journal(journal => journal.Start(look, default))).ShouldBeTrue();
        await Revert(fixture, look);
        (await fixture.Finish(look)).ShouldBeTrue();
        (await State(fixture, run)).ShouldBe("failed");
        (await Devices(fixture, run)).ShouldBe("r001 done reverted worker_lost, r002 done not_started max_failures");
    }

    [Fact]
    public async Task Preview_of_a_cancel_tells_changes_that_go_back_from_work_that_is_cut_off()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var run = await Begun(fixture, """{"waves":[2]}""", keep: 1);
        await fixture.Write(run, RunFixture.Started(run.Devices[0].Id), RunFixture.Started(run.Devices[1].Id));
        var preview = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/cancel-preview");
        ((int)preview["goBack"]!, (int)preview["interrupted"]!, (int)preview["notStarted"]!).ShouldBe((1, 1, 1));
        await Lose(fixture, run);
        preview = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/cancel-preview");
        ((int)preview["goBack"]!, (int)preview["interrupted"]!, (int)preview["notStarted"]!).ShouldBe((1, 0, 2));
    }

    /// <summary>A run on all devices whose worker has begun the changes of the first ones.</summary>
    private static async Task<ClaimedRun> Begun(RunFixture fixture, string guard, int keep)
    {
        (await PlanTests.Post(fixture.Client, "/v1/runs", Guarded(fixture, guard))).Must(HttpStatusCode.Accepted);
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        for (var device = 0; device < keep; device++)
        {
            (await Keep(fixture, run, device, DateTimeOffset.UtcNow)).ShouldBeTrue();
        }

        return run;
    }

    private static async Task Lose(RunFixture fixture, ClaimedRun run)
    {
        await LostWorkerTests.ExpireLease(fixture);
        (await LostWorkerTests.Rescue(fixture)).ShouldBe([(run.Id, RunState.Queued)]);
    }

    /// <summary>Plays a look that puts its devices back.</summary>
    private static async Task Revert(RunFixture fixture, ClaimedRun look)
    {
        foreach (var device in look.Devices)
        {
            var report = RunFixture.Reported(device.Id, DeviceOutcome.Reverted).Report!;
            (await fixture.Write(look, RunEvent.Of(DateTimeOffset.UtcNow, report with { Code = "worker_lost" }))).ShouldBeTrue();
        }
    }

    /// <summary>A further device, at a site of its own, whose name is behind the others.</summary>
    private static async Task<(DeviceId Device, ConnectorId Connector)> Far(RunFixture fixture)
    {
        var near = await RunFixture.Get(fixture.Client, $"/v1/devices/{fixture.Devices[0]}");
        var site = $"{(await fixture.Post(fixture.Client, "/v1/sites", new { name = "fra" }))["id"]}";
        var made = await fixture.Post(fixture.Client, "/v1/connectors", new { name = "c2", siteId = site });
        var connector = ConnectorId.Parse($"{made["id"]}");
        await fixture.Sql(
            """
            insert into connectors.connector_session (tenant_id, id, connector_id, replica, seen_at)
            values ($1, $2, $3, 'test', now() + interval '1 day')
            """, fixture.Tenant.Id.Value, Guid.CreateVersion7(), connector.Value);
        var device = await fixture.Post(fixture.Client, "/v1/devices", new
        {
            name = "z-far", siteId = site, address = "10.67.0.2", port = 22, platform = "frr", credentialId = $"{near["credentialId"]}",
            hostKeySha256 = "SHA256:" + new string('A', 42) + "E",
        });
        return (DeviceId.Parse($"{device["id"]}"), connector);
    }

    /// <summary>Attaches connectors or takes them away: one, or all.</summary>
    private static Task Attach(RunFixture fixture, bool attached, ConnectorId? connector = null) => fixture.Sql(
        "update connectors.connector_session set state = $1 where connector_id = coalesce($2, connector_id)",
        attached ? "attached" : "closed", (object?)connector?.Value ?? DBNull.Value);

    private static object One(DeviceId device, int priority) => new
    {
        block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { $"{device}" } }, priority,
        input = new { routes = new[] { new { prefix = "10.8.0.0/16", nextHop = "10.66.0.1" } } },
    };

    private static async Task<string> State(RunFixture fixture, ClaimedRun run) =>
        $"{(await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}"))["state"]}";

    private static async Task<string> Devices(RunFixture fixture, ClaimedRun run) => string.Join(
        ", ", (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/devices"))["items"]!.AsArray()
            .Select(device => $"{device!["name"]} {device["phase"]} {device["outcome"]} {device["code"]}").Order(StringComparer.Ordinal));

    private static async Task<string[]> Why(RunFixture fixture, ClaimedRun run) =>
        [.. (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/why"))["gates"]!.AsArray().Select(gate => $"{gate!["code"]}")];

    private static async Task<bool> Keep(RunFixture fixture, ClaimedRun run, int device, DateTimeOffset until) => await fixture.Journal(
        journal => journal.Keep(
            run,
            new SeenTexts(DateTimeOffset.UtcNow, run.Devices[device].Id, new DeviceTexts("frr", "before\n"u8.ToArray(), null)), Hash,
            GuardKind.Soft, default)) && await fixture.Journal(journal => journal.Begin(run, [run.Devices[device].Id], until, default));

    private static JsonObject Guarded(RunFixture fixture, string guard = "{}")
    {
        var body = JsonNode.Parse(JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        body["guard"] = JsonNode.Parse(guard);
        return body;
    }
}
