using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>However a run ends, a follower gets the outcome of each device once.</summary>
public sealed class RunEndingTests(PostgresServer postgres)
{
    [Fact]
    public async Task Run_that_finishes_tells_of_devices_reported_and_not_started()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var run = await Running(fixture);
        var device = run.Devices[0].Id;
        (await fixture.Write(run, RunFixture.Started(device), RunFixture.Reported(device, DeviceOutcome.Changed))).ShouldBeTrue();
        (await fixture.Finish(run, rest: "max_failures")).ShouldBeTrue();
        await ShouldReportOutcomes(fixture, run.Id, "changed", "not_started max_failures", "not_started max_failures");
    }

    [Fact]
    public async Task Run_with_an_unknown_device_tells_of_it_and_of_its_resolution()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var run = await Running(fixture);
        (await fixture.Write(
            run,
            RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Unknown),
            RunFixture.Reported(run.Devices[1].Id, DeviceOutcome.Unknown))).ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeTrue();
        await ShouldReportOutcomes(fixture, run.Id, "unknown", "unknown", "not_started");
        var devices = new[] { new { deviceId = run.Devices[0].Id.ToString(), outcome = "changed" } };
        await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:resolve", new { verdict = "completed", evidence = "read by hand", devices });
        await ShouldReportOutcomes(fixture, run.Id, "unknown", "unknown", "not_started", "changed resolved");
    }

    [Fact]
    public async Task Run_cancelled_in_the_queue_tells_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await fixture.StartRun();
        await fixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { });
        await ShouldReportOutcomes(fixture, run, "not_started cancelled", "not_started cancelled");
    }

    [Fact]
    public async Task Run_cancelled_while_it_runs_tells_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Running(fixture);
        await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", new { });
        (await fixture.Write(run, RunFixture.Reported(run.Devices[1].Id, DeviceOutcome.Ok))).ShouldBeTrue();
        (await fixture.Finish(run, rest: "cancelled")).ShouldBeTrue();
        await ShouldReportOutcomes(fixture, run.Id, "ok", "not_started cancelled");
    }

    [Fact]
    public async Task Runs_of_a_tenant_that_leaves_tell_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await fixture.StartRun();
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<TenantRuns>().Cancel(fixture.Tenant.Id, "offboarding", default)).ShouldBeTrue();
        await ShouldReportOutcomes(fixture, run, "not_started cancelled", "not_started cancelled");
    }

    [Fact]
    public async Task Run_that_expires_tells_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2, upkeep: true);
        var run = await fixture.StartRun();
        await fixture.Sql("update runs.run set start_by = now() - interval '1 second'");
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}?wait=20"))["state"]!.GetValue<string>().ShouldBe("expired");
        await ShouldReportOutcomes(fixture, run, "not_started expired", "not_started expired");
    }

    [Fact]
    public async Task Run_that_is_lost_for_good_tells_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            var run = attempt == 1 ? await Running(fixture) : await Running(fixture, (await fixture.Claim("w2"))!);
            if (attempt == 1)
            {
                (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
            }

            await ExpireLease(fixture);
        }

        var lost = await fixture.Scalar<Guid>("select id from runs.run");
        await ShouldReportOutcomes(fixture, new RunId(lost), "changed", "unknown worker_lost", "unknown worker_lost");
    }

    [Fact]
    public async Task Run_given_back_after_its_last_attempt_tells_of_each_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        body["mode"] = "check";
        await fixture.StartRun(body);
        foreach (var outcome in new[] { "queued", "queued", "unknown" })
        {
            var run = await Running(fixture, (await fixture.Claim())!);
            run.MayGoOn.ShouldBe(outcome == "queued");
            await using var scope = fixture.Host.Services.CreateAsyncScope();
            (await scope.ServiceProvider.GetRequiredService<RunQueue>().HandBack(run, default)).ShouldBe(outcome);
        }

        var lost = await fixture.Scalar<Guid>("select id from runs.run");
        await ShouldReportOutcomes(fixture, new RunId(lost), "unknown worker_stopped", "unknown worker_stopped");
    }

    [Fact]
    public async Task A_second_attempt_cancelled_before_it_began_reports_the_devices_of_the_first()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Running(fixture);
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await ExpireLease(fixture);
        await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:cancel", new { });
        await ShouldReportOutcomes(fixture, run.Id, "changed", "unknown worker_lost");
    }

    [Fact]
    public async Task Second_attempt_lost_before_it_began_still_looks_before_it_configures()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await Running(fixture);
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Unknown))).ShouldBeTrue();
        await ExpireLease(fixture);
        (await fixture.Claim("w2")).ShouldNotBeNull();
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "what is unknown stays held");
        await ExpireLease(fixture);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "nobody else may configure what is not finished");
        (await fixture.Claim("w3"))!.Devices.ShouldHaveSingleItem().Verify.ShouldBeTrue();
    }

    private static async Task<ClaimedRun> Running(RunFixture fixture, ClaimedRun? claimed = null)
    {
        if (claimed is null)
        {
            await fixture.StartRun();
            claimed = (await fixture.Claim())!;
        }

        (await fixture.Journal(journal => journal.Start(claimed, default))).ShouldBeTrue();
        return claimed;
    }

    // Ends the lease by the database's clock, as if its worker had been silent for long enough.
    private static async Task ExpireLease(RunFixture fixture)
    {
        await fixture.Sql("update runs.run set lease_until = now() - interval '6 seconds'");
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        var queue = scope.ServiceProvider.GetRequiredService<RunQueue>();
        (await queue.Rescue(TimeSpan.FromSeconds(5), TimeSpan.Zero, default)).Count.ShouldBe(1);
    }

    private static async Task ShouldReportOutcomes(RunFixture fixture, RunId run, params string[] outcomes)
    {
        var events = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/events"))["items"]!.AsArray();
        events.Select(item => item!["seq"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, events.Count));
        var outcomeEvents = events.Where(item => item!["type"]!.GetValue<string>() == "device_outcome").ToList();
        outcomeEvents.Select(item => $"{item!["data"]!["outcome"]} {item["data"]!["code"]}".TrimEnd())
            .ShouldBe(outcomes, ignoreOrder: true);
        var devices = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/devices"))["items"]!.AsArray();
        outcomeEvents.Select(item => item!["deviceId"]!.GetValue<string>()).Distinct().Count().ShouldBe(devices.Count);
        foreach (var device in devices)
        {
            var id = device!["deviceId"]!.GetValue<string>();
            var last = outcomeEvents.Last(item => item!["deviceId"]!.GetValue<string>() == id)!["data"]!;
            last["outcome"]!.GetValue<string>().ShouldBe(device["outcome"]!.GetValue<string>());
            $"{last["changed"]} {last["code"]}".ShouldBe($"{device["changed"]} {device["code"]}");
        }
    }
}
