using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Connectors;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class RunLifeTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_writer_holds_its_devices_alone_and_why_says_so()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var waiting = await fixture.StartRun(fixture.Apply("10.8.0.0/16"));
        var first = (await fixture.Claim())!;
        (await fixture.Claim("w2")).ShouldBeNull();
        var why = await RunFixture.Get(fixture.Client, $"/v1/runs/{waiting}/why");
        why["gates"]!.AsArray().Select(gate => gate!["code"]!.GetValue<string>()).ShouldBe(["device_held", "device_held"]);
        why["gates"]![0]!["runId"]!.GetValue<string>().ShouldBe(first.Id.ToString());
        await fixture.Work(first);
        var second = (await fixture.Claim("w2"))!;
        second.Id.ShouldBe(waiting);
        second.Fence.ShouldBeGreaterThan(first.Fence);
    }

    [Fact]
    public async Task Runs_that_wait_for_a_device_hold_up_no_other()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var busy =
            new
            {
                block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { fixture.Devices[0].ToString() } },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }
            };
        await fixture.Post(fixture.Client, "/v1/runs:batch", new { runs = Enumerable.Repeat(busy, 30) });
        (await fixture.Claim()).ShouldNotBeNull();
        var free = await fixture.StartRun(busy with { targets = new { deviceIds = new[] { fixture.Devices[1].ToString() } } });
        (await fixture.Claim("w2"))!.Id.ShouldBe(free);
    }

    [Fact]
    public async Task A_run_waits_for_a_connector()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.Sql("update connectors.connector_session set state = 'closed'");
        var run = await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]![0]!["code"]!.GetValue<string>()
            .ShouldBe("connector_absent");
    }

    [Fact]
    public async Task A_worker_that_lost_its_run_writes_nothing()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        await fixture.Sql("update runs.run set fence = fence + 1");
        (await fixture.Journal(journal => journal.Renew(run, default))).ShouldBeFalse();
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeFalse();
        (await fixture.Finish(run)).ShouldBeFalse();
        (await fixture.Scalar<long>("select count(*) from runs.run_device where outcome is not null")).ShouldBe(0);
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
    }

    [Fact]
    public async Task An_unknown_device_leaves_the_run_unknown_and_unsettled()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Changed, DeviceOutcome.Unknown);
        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}");
        view["state"]!.GetValue<string>().ShouldBe("unknown");
        view["terminal"]!.GetValue<bool>().ShouldBeFalse();
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(1, "only what is unknown stays held");
    }

    [Fact]
    public async Task A_queued_run_is_cancelled_at_once_and_costs_nothing()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await fixture.StartRun();
        var cancelled = await fixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { });
        cancelled["state"]!.GetValue<string>().ShouldBe("cancelled");
        cancelled["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        cancelled["summary"]!["not_started"]!.GetValue<int>().ShouldBe(2);
        (await RunFixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { }, null, 409))["type"]!.GetValue<string>()
            .ShouldBe("/problems/run_finished");
        (await fixture.Claim()).ShouldBeNull();
    }

    [Fact]
    public async Task A_claimed_run_is_cancelled_before_its_worker_starts_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", new { }))["state"]!.GetValue<string>().ShouldBe("cancelled");
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeFalse();
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
        (await fixture.Scalar<int>("select running from runs.tenant_quota")).ShouldBe(0);
    }

    [Fact]
    public async Task A_stream_is_let_through_only_for_the_run_that_holds_the_device_now()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        var gate = fixture.Host.Services.GetRequiredService<IDialGate>();
        var dial = new DeviceDial(fixture.Tenant.Id, SiteId.New(), run.Devices[0].Id, "10.66.0.2", 22, run.Id, run.Fence, true);
        (await gate.MayDial(dial, default)).ShouldBeFalse("a claimed run has not started");
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await gate.MayDial(dial, default)).ShouldBeTrue();
        (await gate.MayDial(dial with { Fence = run.Fence - 1 }, default)).ShouldBeFalse();
        (await gate.MayDial(dial with { Exclusive = false }, default)).ShouldBeFalse();
        (await gate.MayDial(dial with { Device = DeviceId.New() }, default)).ShouldBeFalse();
        (await gate.MayDial(dial with { Tenant = TenantId.New() }, default)).ShouldBeFalse();
        (await fixture.Finish(run)).ShouldBeTrue();
        (await gate.MayDial(dial, default)).ShouldBeFalse("a finished run holds nothing");
    }

    [Fact]
    public async Task Outside_a_run_a_device_is_dialled_below_the_fence_of_every_later_run_and_never_beside_a_writer()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var gate = fixture.Host.Services.GetRequiredService<IDialGate>();
        var (tenant, device) = (fixture.Tenant.Id, fixture.Devices[0]);
        (await gate.FenceOutsideRuns(tenant, device, default)).ShouldBe(0L, "no run has been claimed");

        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await gate.FenceOutsideRuns(tenant, device, default)).ShouldBeNull("the run writes");
        var dial = DeviceDial.OutsideRuns(tenant, SiteId.New(), device, "10.66.0.2", 22);
        (await gate.MayDial(dial, default)).ShouldBeFalse();
        await fixture.Work(run);

        var fence = await gate.FenceOutsideRuns(tenant, device, default);
        fence.ShouldBe(run.Fence, "the connector has seen this one");
        (await gate.MayDial(dial with { Fence = fence!.Value }, default)).ShouldBeTrue();
        (await gate.MayDial(dial with { Fence = fence.Value + 1 }, default)).ShouldBeFalse("no later run would cut it");
        await fixture.StartRun();
        var next = (await fixture.Claim())!;
        next.Fence.ShouldBeGreaterThan(fence.Value);
        await fixture.Work(next);
        await gate.FenceSeen(tenant, 1000, default);
        (await gate.FenceOutsideRuns(tenant, device, default)).ShouldBe(1000L, "a connector knows more than a restored database");
    }

    [Fact]
    public async Task A_run_that_checks_shares_its_devices_with_dials_outside_runs()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun(
            new
            {
                block = "static-routes", mode = "check", targets = new { all = true },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
            });
        var run = (await fixture.Claim())!;
        var gate = fixture.Host.Services.GetRequiredService<IDialGate>();
        (await gate.FenceOutsideRuns(fixture.Tenant.Id, run.Devices[0].Id, default)).ShouldBe(run.Fence);
    }

    [Fact]
    public async Task A_running_run_asked_to_cancel_ends_cancelled_where_a_device_was_left()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", new { }))["state"]!.GetValue<string>().ShouldBe("cancelling");
        (await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", new { }))["state"]!.GetValue<string>().ShouldBe("cancelling");
        (await fixture.Journal(journal => journal.CancelRequested(run, default))).ShouldBeTrue();
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeTrue();
        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}");
        view["state"]!.GetValue<string>().ShouldBe("cancelled");
        view["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.150000");
    }

    [Fact]
    public async Task Events_are_numbered_without_gaps_and_the_stream_ends_after_the_last()
    {
        await using var fixture = await RunFixture.Start(postgres);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/runs/{run.Id}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await fixture.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var reading = answer.Content.ReadAsStringAsync();
        await fixture.Work(run);
        var frames = (await reading.WaitAsync(Eventually.Limit)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Where(frame => frame.StartsWith("id: ", StringComparison.Ordinal)).ToList();
        frames.Select(frame => int.Parse(frame.Split('\n')[0][4..])).ShouldBe(Enumerable.Range(1, frames.Count));
        frames[^1].ShouldContain("event: output_complete");

        request.Dispose();
        using var again = new HttpRequestMessage(HttpMethod.Get, $"/v1/runs/{run.Id}/events");
        again.Headers.Accept.ParseAdd("text/event-stream");
        again.Headers.Add("Last-Event-ID", $"{frames.Count}");
        using var over = await fixture.Client.SendAsync(again);
        ((int)over.StatusCode).ShouldBe(204);
    }

    [Fact]
    public async Task Receipts_are_chained_and_say_what_each_device_cost()
    {
        await using var fixture = await RunFixture.Start(postgres);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Changed, DeviceOutcome.Failed, DeviceOutcome.Ok);
        var receipts = new List<JsonNode>();
        foreach (var device in run.Devices)
        {
            receipts.Add((await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/devices/{device.Id}"))["receipt"]!);
        }

        receipts.Select(receipt => receipt["price"]!["amount"]!.GetValue<string>()).ShouldBe(["0.050000", "0.000000", "0.050000"]);
        receipts.Skip(1).Select(receipt => receipt["previousHash"]!.GetValue<string>())
            .ShouldBe(receipts.SkipLast(1).Select(receipt => receipt["hash"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Device_that_was_never_contacted_costs_nothing_however_good_its_outcome()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await fixture.Write(
            run,
            RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed),
            RunFixture.Reported(run.Devices[1].Id, DeviceOutcome.Changed, contacted: false),
            RunFixture.Reported(run.Devices[2].Id, DeviceOutcome.Ok, contacted: false))).ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeTrue();

        var prices = new List<string>();
        foreach (var device in run.Devices)
        {
            var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/devices/{device.Id}");
            prices.Add(view["receipt"]!["price"]!["amount"]!.GetValue<string>());
        }

        prices.ShouldBe(["0.050000", "0.000000", "0.000000"]);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}"))["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.150000");
    }

    [Fact]
    public async Task Overdue_runs_expire_free_of_charge()
    {
        await using var fixture = await RunFixture.Start(postgres, 1, upkeep: true);
        var run = await fixture.StartRun();
        await fixture.Sql("update runs.run set start_by = now() - interval '1 second'");
        (await fixture.Claim()).ShouldBeNull();
        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run}?wait=20");
        view["state"]!.GetValue<string>().ShouldBe("expired");
        view["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
    }

    [Fact]
    public async Task A_relaunch_repeats_the_run_on_the_devices_that_failed()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await RunFixture.Post(fixture.Client, $"/v1/runs/{run.Id}:relaunch", new { outcomes = new[] { "failed" } }, null, 409))[
            "type"]!.GetValue<string>().ShouldBe("/problems/run_not_finished");
        await fixture.Work(run, DeviceOutcome.Changed, DeviceOutcome.Failed, DeviceOutcome.Unreachable);
        (await RunFixture.Post(
            fixture.Client, $"/v1/runs/{run.Id}:relaunch", new { outcomes = new[] { "unknown" } }, null, 422))["errors"]![
            0]!["code"]!.GetValue<string>().ShouldBe("no_targets");
        (await RunFixture.Post(fixture.Client, $"/v1/runs/{run.Id}:relaunch", new { outcomes = new[] { "ok" } }, null, 422))["errors"]![0]![
            "pointer"]!.GetValue<string>().ShouldBe("/outcomes");
        var again = await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:relaunch", new { outcomes = new[] { "failed", "unreachable" } });
        again["relaunchOf"]!.GetValue<string>().ShouldBe(run.Id.ToString());
        again["summary"]!["total"]!.GetValue<int>().ShouldBe(2);
        again["input"]!.ToJsonString().ShouldContain("10.9.0.0/16");
        var repeated = (await fixture.Claim())!;
        repeated.Devices.Select(device => device.Id).ShouldBe(run.Devices.Skip(1).Select(device => device.Id));
    }

    [Fact]
    public async Task Devices_of_a_run_are_listed_by_outcome_and_code_page_by_page()
    {
        await using var fixture = await RunFixture.Start(postgres, 4);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Failed, DeviceOutcome.Changed, DeviceOutcome.Unreachable, DeviceOutcome.Failed);
        var path = $"/v1/runs/{run.Id}/devices";
        async Task<string> Names(string query) => string.Join(
            ' ', (await RunFixture.Get(fixture.Client, $"{path}?{query}"))["items"]!.AsArray().Select(device => $"{device!["name"]}"));
        (await Names("outcome=failed")).ShouldBe("r004 r001");
        (await Names("code=task_failed")).ShouldBe("r004 r001");
        (await Names("outcome=unreachable")).ShouldBe("r003");
        (await Names("outcome=changed&code=task_failed")).ShouldBe("");
        var first = await RunFixture.Get(fixture.Client, $"{path}?outcome=failed&limit=1");
        (await Names($"outcome=failed&after={Uri.EscapeDataString($"{first["next"]}")}")).ShouldBe("r001");
        var wrong = await RunFixture.Get(fixture.Client, $"{path}?outcome=good", 422);
        $"{wrong["errors"]![0]!["pointer"]} {wrong["errors"]![0]!["code"]}".ShouldBe("/outcome unknown_outcome");
    }

    [Fact]
    public async Task A_batch_starts_every_run_or_none()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var bad =
            await RunFixture.Post(
                fixture.Client, "/v1/runs:batch", new { runs = new[] { fixture.Apply("10.9.0.0/16"), fixture.Apply("nonsense") } },
                null, 422);
        bad["errors"]![0]!["pointer"]!.GetValue<string>().ShouldStartWith("/runs/1/input/routes/0/prefix");
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
        (await RunFixture.Post(fixture.Client, "/v1/runs:batch", new { runs = Array.Empty<object>() }, null, 422))["errors"]![0]![
            "pointer"]!.GetValue<string>().ShouldBe("/runs");
        var started =
            await fixture.Post(
                fixture.Client, "/v1/runs:batch",
                new { runs = Enumerable.Range(1, 20).Select(i => fixture.Apply($"10.{i}.0.0/16")).ToArray() });
        started["runs"]!.AsArray().Select(run => run!["id"]!.GetValue<string>()).Distinct().Count().ShouldBe(20);
    }

    [Fact]
    public async Task Another_tenants_run_is_not_there()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var run = await fixture.StartRun();
        var other = await fixture.Host.CreateTenant();
        foreach (var path in new[] { "", "/devices", "/events", "/log", "/why", $"/devices/{fixture.Devices[0]}" })
        {
            var theirs = await RunFixture.Get(other.Client, $"/v1/runs/{run}{path}", 404);
            var none = await RunFixture.Get(other.Client, $"/v1/runs/{RunId.New()}{path}", 404);
            theirs.AsObject().Remove("traceId");
            none.AsObject().Remove("traceId");
            theirs.ToJsonString().ShouldBe(none.ToJsonString());
        }

        (await RunFixture.Get(other.Client, "/v1/runs"))["items"]!.AsArray().ShouldBeEmpty();
    }
}
