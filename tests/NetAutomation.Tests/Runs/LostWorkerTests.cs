using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class LostWorkerTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_run_claimed_by_a_lost_worker_goes_back_to_the_queue()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var lost = (await fixture.Claim())!;
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await fixture.Journal(journal => journal.Start(lost, default))).ShouldBeFalse("its fence has moved on");
        var again = (await fixture.Claim("w2"))!;
        again.Id.ShouldBe(lost.Id);
        again.Attempt.ShouldBe(2);
        again.Fence.ShouldBeGreaterThan(lost.Fence);
        await fixture.Work(again);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{lost.Id}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
    }

    [Fact]
    public async Task A_claim_is_not_lost_with_the_connections_of_a_database_that_was_started_again()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var run = await fixture.StartRun();
        await fixture.Sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'na_app'");
        (await fixture.Claim()).ShouldNotBeNull().Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_check_of_a_lost_worker_is_tried_again_and_settled_once()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        body["mode"] = "check";
        await fixture.StartRun(body);
        var lost = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Queued)]);
        await fixture.Work((await fixture.Claim("w2"))!);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{lost.Id}"))["attempt"]!.GetValue<int>().ShouldBe(2);
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(3);
    }

    [Fact]
    public async Task A_writing_run_of_a_lost_worker_is_unknown_and_never_applied_again_blindly()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await fixture.StartRun();
        await fixture.Sql("update runs.run set effect = 'unsafe'");
        var lost = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await fixture.Write(lost, RunFixture.Reported(lost.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Unknown)]);
        (await Rescue(fixture)).ShouldBeEmpty();
        (await fixture.Claim("w2")).ShouldBeNull();
        (await fixture.Finish(lost)).ShouldBeFalse("a worker that wakes up ends nothing");

        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{lost.Id}");
        view["state"]!.GetValue<string>().ShouldBe("unknown");
        view["summary"]!["unknown"]!.GetValue<int>().ShouldBe(2);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "only what is unknown stays held");
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
        var events = (await RunFixture.Get(fixture.Client, $"/v1/runs/{lost.Id}/events"))["items"]!.AsArray();
        events.Select(item => item!["seq"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, events.Count));

        var found =
            new
            {
                verdict = "completed", evidence = "running-config read on both",
                devices = new[] { new { deviceId = lost.Devices[1].Id.ToString(), outcome = "changed" } }
            };
        await RunFixture.Post(fixture.Client, $"/v1/runs/{lost.Id}:resolve", new { verdict = "completed", evidence = "" }, null, 422);
        var resolved = await fixture.Post(fixture.Client, $"/v1/runs/{lost.Id}:resolve", found);
        resolved["state"]!.GetValue<string>().ShouldBe("resolved");
        resolved["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
        (await RunFixture.Post(fixture.Client, $"/v1/runs/{lost.Id}:resolve", found, null, 409))["type"]!.GetValue<string>()
            .ShouldBe("/problems/run_not_unknown");
    }

    [Fact]
    public async Task An_idempotent_run_of_a_lost_worker_is_looked_at_and_tried_once_more_and_not_twice()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await fixture.StartRun();
        var lost = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await fixture.Write(
            lost, RunFixture.Started(lost.Devices[0].Id), RunFixture.Reported(lost.Devices[0].Id, DeviceOutcome.Changed),
            RunFixture.Started(lost.Devices[1].Id))).ShouldBeTrue();
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "nobody else may configure what is not finished");
        await fixture.StartRun(fixture.Apply("10.10.0.0/16"));

        var again = (await fixture.Claim("w2"))!;
        (again.Id, again.Attempt).ShouldBe((lost.Id, 2));
        again.Devices.Select(device => (device.Id, device.Verify)).ShouldBe(lost.Devices.Skip(1).Select(device => (device.Id, true)));
        (await fixture.Claim("w3")).ShouldBeNull("the other run waits for the devices");
        (await fixture.Journal(journal => journal.Start(again, default))).ShouldBeTrue();
        (await fixture.Write(lost, RunFixture.Reported(lost.Devices[1].Id, DeviceOutcome.Changed)))
            .ShouldBeFalse("a worker that wakes up writes nothing");
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Unknown)]);
        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{lost.Id}");
        view["summary"]!["unknown"]!.GetValue<int>().ShouldBe(2);
        view["summary"]!["changed"]!.GetValue<int>().ShouldBe(1);
    }

    [Fact]
    public async Task A_second_attempt_that_is_cancelled_before_it_began_leaves_the_run_unknown()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var lost = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await fixture.Write(lost, RunFixture.Reported(lost.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await ExpireLease(fixture);
        (await Rescue(fixture)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await fixture.Post(fixture.Client, $"/v1/runs/{lost.Id}:cancel", new { }))["state"]!.GetValue<string>().ShouldBe("unknown");
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
    }

    [Fact]
    public async Task A_batch_whose_answer_was_lost_is_written_once()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        RunEvent[] batch = [RunFixture.Started(run.Devices[0].Id), RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed)];
        foreach (var _ in Enumerable.Range(0, 3))
        {
            (await fixture.Journal(journal => journal.Write(run, 0, batch, default))).ShouldBeTrue();
            (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        }

        (await fixture.Journal(journal => journal.Write(run, 1, batch, default)))
            .ShouldBeFalse("a batch never begins in the middle of another");
        (await fixture.Finish(run)).ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeFalse();
        var events = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/events"))["items"]!.AsArray();
        events.Select(item => item!["seq"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, events.Count));
        events.Count(item => item!["type"]!.GetValue<string>() == "device_outcome").ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(3);
    }

    [Fact]
    public async Task A_worker_that_leaves_gives_its_run_back()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (run.MayGoOn, await HandBack(fixture, run)).ShouldBe((true, "queued"));
        (await HandBack(fixture, run)).ShouldBeNull("it is no longer its run");
        var again = (await fixture.Claim("w2"))!;
        again.MayGoOn.ShouldBeFalse("there is no third attempt");
        await fixture.Work(again);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
    }

    [Fact]
    public async Task A_reverted_run_charges_only_what_was_certain()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Changed, DeviceOutcome.Unknown);
        var body =
            new
            {
                verdict = "reverted", evidence = "rolled back by hand",
                devices = new[] { new { deviceId = run.Devices[1].Id.ToString(), outcome = "ok" } }
            };
        (await fixture.Post(fixture.Client, $"/v1/runs/{run.Id}:resolve", body))["charged"]!["amount"]!.GetValue<string>()
            .ShouldBe("0.150000");
    }

    [Fact]
    public async Task No_run_is_taken_from_its_worker_just_after_the_database_started()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        (await fixture.Claim()).ShouldNotBeNull();
        await ExpireLease(fixture);
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.FromSeconds(5), TimeSpan.FromDays(1000), default))
            .ShouldBeEmpty();
    }

    [Fact]
    public async Task A_preview_says_what_a_cancel_would_do()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await fixture.Write(run, RunFixture.Started(run.Devices[0].Id))).ShouldBeTrue();
        var preview = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/cancel-preview");
        (preview["possible"]!.GetValue<bool>(), preview["interrupted"]!.GetValue<int>(), preview["notStarted"]!.GetValue<int>())
            .ShouldBe((true, 1, 1));
    }

    private static async Task<string?> HandBack(RunFixture fixture, ClaimedRun run)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<RunQueue>().HandBack(run, default);
    }

    // Ends the lease by the database's clock, as if its worker had been silent for long enough.
    internal static Task ExpireLease(RunFixture fixture) => fixture.Sql("update runs.run set lease_until = now() - interval '6 seconds'");

    internal static async Task<IReadOnlyList<(RunId, RunState)>> Rescue(RunFixture fixture)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.FromSeconds(5), TimeSpan.Zero, default);
    }
}
