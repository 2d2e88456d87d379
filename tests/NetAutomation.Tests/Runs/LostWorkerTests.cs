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
        await using var ground = await RunGround.Start(postgres, 1);
        await ground.StartRun();
        var lost = (await ground.Claim())!;
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await ground.Journal(journal => journal.Start(lost, default))).ShouldBeFalse("its fence has moved on");
        var again = (await ground.Claim("w2"))!;
        again.Id.ShouldBe(lost.Id);
        again.Attempt.ShouldBe(2);
        again.Fence.ShouldBeGreaterThan(lost.Fence);
        await ground.Work(again);
        (await RunGround.Get(ground.Client, $"/v1/runs/{lost.Id}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
    }

    [Fact]
    public async Task A_claim_is_not_lost_with_the_connections_of_a_database_that_was_started_again()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var run = await ground.StartRun();
        await ground.Sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'na_app'");
        (await ground.Claim()).ShouldNotBeNull().Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_check_of_a_lost_worker_is_tried_again_and_settled_once()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(ground.Apply("10.9.0.0/16")))!.AsObject();
        body["mode"] = "check";
        await ground.StartRun(body);
        var lost = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Queued)]);
        await ground.Work((await ground.Claim("w2"))!);
        (await RunGround.Get(ground.Client, $"/v1/runs/{lost.Id}"))["attempt"]!.GetValue<int>().ShouldBe(2);
        (await ground.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(3);
    }

    [Fact]
    public async Task A_writing_run_of_a_lost_worker_is_unknown_and_never_applied_again_blindly()
    {
        await using var ground = await RunGround.Start(postgres, 3);
        await ground.StartRun();
        await ground.Sql("update runs.run set effect = 'unsafe'");
        var lost = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await ground.Write(lost, RunGround.Reported(lost.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Unknown)]);
        (await Rescue(ground)).ShouldBeEmpty();
        (await ground.Claim("w2")).ShouldBeNull();
        (await ground.Finish(lost)).ShouldBeFalse("a worker that wakes up ends nothing");

        var view = await RunGround.Get(ground.Client, $"/v1/runs/{lost.Id}");
        view["state"]!.GetValue<string>().ShouldBe("unknown");
        view["summary"]!["unknown"]!.GetValue<int>().ShouldBe(2);
        (await ground.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "only what is unknown stays held");
        (await ground.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
        var events = (await RunGround.Get(ground.Client, $"/v1/runs/{lost.Id}/events"))["items"]!.AsArray();
        events.Select(item => item!["seq"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, events.Count));

        var found =
            new
            {
                verdict = "completed", evidence = "running-config read on both",
                devices = new[] { new { deviceId = lost.Devices[1].Id.ToString(), outcome = "changed" } }
            };
        await RunGround.Post(ground.Client, $"/v1/runs/{lost.Id}:resolve", new { verdict = "completed", evidence = "" }, null, 422);
        var resolved = await ground.Post(ground.Client, $"/v1/runs/{lost.Id}:resolve", found);
        resolved["state"]!.GetValue<string>().ShouldBe("resolved");
        resolved["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        (await ground.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
        (await RunGround.Post(ground.Client, $"/v1/runs/{lost.Id}:resolve", found, null, 409))["type"]!.GetValue<string>()
            .ShouldBe("/problems/run_not_unknown");
    }

    [Fact]
    public async Task An_idempotent_run_of_a_lost_worker_is_looked_at_and_tried_once_more_and_not_twice()
    {
        await using var ground = await RunGround.Start(postgres, 3);
        await ground.StartRun();
        var lost = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await ground.Write(
            lost, RunGround.Started(lost.Devices[0].Id), RunGround.Reported(lost.Devices[0].Id, DeviceOutcome.Changed),
            RunGround.Started(lost.Devices[1].Id))).ShouldBeTrue();
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await ground.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(2, "nobody else may configure what is not finished");
        await ground.StartRun(ground.Apply("10.10.0.0/16"));

        var again = (await ground.Claim("w2"))!;
        (again.Id, again.Attempt).ShouldBe((lost.Id, 2));
        again.Devices.Select(device => (device.Id, device.Verify)).ShouldBe(lost.Devices.Skip(1).Select(device => (device.Id, true)));
        (await ground.Claim("w3")).ShouldBeNull("the other run waits for the devices");
        (await ground.Journal(journal => journal.Start(again, default))).ShouldBeTrue();
        (await ground.Write(lost, RunGround.Reported(lost.Devices[1].Id, DeviceOutcome.Changed)))
            .ShouldBeFalse("a worker that wakes up writes nothing");
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Unknown)]);
        var view = await RunGround.Get(ground.Client, $"/v1/runs/{lost.Id}");
        view["summary"]!["unknown"]!.GetValue<int>().ShouldBe(2);
        view["summary"]!["changed"]!.GetValue<int>().ShouldBe(1);
    }

    [Fact]
    public async Task A_second_attempt_that_is_cancelled_before_it_began_leaves_the_run_unknown()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var lost = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(lost, default))).ShouldBeTrue();
        (await ground.Write(lost, RunGround.Reported(lost.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await Lose(ground);
        (await Rescue(ground)).ShouldBe([(lost.Id, RunState.Queued)]);
        (await ground.Post(ground.Client, $"/v1/runs/{lost.Id}:cancel", new { }))["state"]!.GetValue<string>().ShouldBe("unknown");
        (await ground.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(1);
        (await ground.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(0);
    }

    [Fact]
    public async Task A_batch_whose_answer_was_lost_is_written_once()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        RunEvent[] batch = [RunGround.Started(run.Devices[0].Id), RunGround.Reported(run.Devices[0].Id, DeviceOutcome.Changed)];
        foreach (var _ in Enumerable.Range(0, 3))
        {
            (await ground.Journal(journal => journal.Write(run, 0, batch, default))).ShouldBeTrue();
            (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        }

        (await ground.Journal(journal => journal.Write(run, 1, batch, default)))
            .ShouldBeFalse("a batch never begins in the middle of another");
        (await ground.Finish(run)).ShouldBeTrue();
        (await ground.Finish(run)).ShouldBeFalse();
        var events = (await RunGround.Get(ground.Client, $"/v1/runs/{run.Id}/events"))["items"]!.AsArray();
        events.Select(item => item!["seq"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, events.Count));
        events.Count(item => item!["type"]!.GetValue<string>() == "device_outcome").ShouldBe(1);
        (await ground.Scalar<long>("select count(*) from billing.settlement")).ShouldBe(3);
    }

    [Fact]
    public async Task A_worker_that_leaves_gives_its_run_back()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (run.MayGoOn, await HandBack(ground, run)).ShouldBe((true, "queued"));
        (await HandBack(ground, run)).ShouldBeNull("it is no longer its run");
        var again = (await ground.Claim("w2"))!;
        again.MayGoOn.ShouldBeFalse("there is no third attempt");
        await ground.Work(again);
        (await RunGround.Get(ground.Client, $"/v1/runs/{run.Id}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
    }

    [Fact]
    public async Task A_reverted_run_charges_only_what_was_certain()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        await ground.Work(run, DeviceOutcome.Changed, DeviceOutcome.Unknown);
        var body =
            new
            {
                verdict = "reverted", evidence = "rolled back by hand",
                devices = new[] { new { deviceId = run.Devices[1].Id.ToString(), outcome = "ok" } }
            };
        (await ground.Post(ground.Client, $"/v1/runs/{run.Id}:resolve", body))["charged"]!["amount"]!.GetValue<string>()
            .ShouldBe("0.150000");
    }

    [Fact]
    public async Task Nothing_is_taken_from_workers_just_after_the_database_started()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        await ground.StartRun();
        (await ground.Claim()).ShouldNotBeNull();
        await Lose(ground);
        await using var scope = ground.Host.Services.CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.FromSeconds(5), TimeSpan.FromDays(1000), default))
            .ShouldBeEmpty();
    }

    [Fact]
    public async Task A_preview_says_what_a_cancel_would_do()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await ground.Write(run, RunGround.Started(run.Devices[0].Id))).ShouldBeTrue();
        var preview = await RunGround.Get(ground.Client, $"/v1/runs/{run.Id}/cancel-preview");
        (preview["possible"]!.GetValue<bool>(), preview["interrupted"]!.GetValue<int>(), preview["notStarted"]!.GetValue<int>())
            .ShouldBe((true, 1, 1));
    }

    private static async Task<string?> HandBack(RunGround ground, ClaimedRun run)
    {
        await using var scope = ground.Host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<RunQueue>().HandBack(run, default);
    }

    // Ends the lease by the database's clock, as if its worker had been silent for long enough.
    private static Task Lose(RunGround ground) => ground.Sql("update runs.run set lease_until = now() - interval '6 seconds'");

    private static async Task<IReadOnlyList<(RunId, RunState)>> Rescue(RunGround ground)
    {
        await using var scope = ground.Host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.FromSeconds(5), TimeSpan.Zero, default);
    }
}
