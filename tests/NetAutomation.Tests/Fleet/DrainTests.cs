using System.Net;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Processes that get SIGTERM.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class DrainTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_worker_that_drains_finishes_the_runs_it_can_and_hands_back_the_rest()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 2);
        await fleet.StartWorker("first", "Execution:DrainSeconds=300");
        fleet.Routers.Slow(("d01", 2));
        var running = await fleet.StartRun(fleet.Routes(["d01"], 1, 2, 3));
        await fleet.Journal(journal => journal.Any(h => h.Kind == "line"), "a line");
        fleet.Process("first").Signal(ServiceProcess.Terminate);
        await Eventually.Holds(async () => await fleet.Ready("first") != HttpStatusCode.OK, "the worker to be not ready", fleet.Report);
        (await fleet.State(running)).ShouldBe("running", "readiness ends with the signal, not with the last run");
        var later = await fleet.StartRun(fleet.Routes(["d02"], 1));
        (await fleet.Process("first").Ended(TimeSpan.FromMinutes(5))).ShouldBe(0, fleet.Report());
        (await fleet.State(running)).ShouldBe("succeeded", fleet.Report());
        (await fleet.State(later)).ShouldBe("queued", "a worker that leaves claims nothing");

        // A worker without drain time stops at the next task, and another worker continues the run.
        await fleet.StartWorker("hurried", "Execution:DrainSeconds=0");
        (await fleet.Ended(later))["state"]!.GetValue<string>().ShouldBe("succeeded", fleet.Report());
        fleet.Routers.Slow(("d01", 2), ("d02", 2));
        var handed = await fleet.StartRun(fleet.Routes(["d01", "d02"], 11, 12, 13));
        await fleet.Journal(journal => journal.Any(h => h.Text == ServiceFleet.Line(11)), "a line");
        fleet.Process("hurried").Signal(ServiceProcess.Terminate);
        (await fleet.Process("hurried").Ended(TimeSpan.FromMinutes(5))).ShouldBe(0, fleet.Report());
        await fleet.StartWorker("next");
        var run = await fleet.Ended(handed);
        run["state"]!.GetValue<string>().ShouldBe("succeeded", $"{run} {fleet.Report()}");
        run["attempt"]!.GetValue<int>().ShouldBe(2, fleet.Report());
        foreach (var device in (string[])["d01", "d02"])
        {
            fleet.Routers.Journal().Where(h => h.Device == device && h.Kind == "line").Select(h => h.Text).TakeLast(3)
                .ShouldBe(((int[])[11, 12, 13]).Select(ServiceFleet.Line), fleet.Report());
        }
    }

    [Fact]
    public async Task A_rolling_restart_under_a_stream_of_runs_fails_no_request_and_loses_no_run()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 4);
        await Task.WhenAll(fleet.StartWorker("w1"), fleet.StartWorker("w2"));
        fleet.Endpoint.Targets = [fleet.ConnectorPort("a"), fleet.ConnectorPort("b")];
        using var balancer = new EndpointRelay(fleet.Tenant.EndpointId, fleet.CustomerPort("a"), fleet.CustomerPort("b"));
        using var over = new CancellationTokenSource();
        var runs = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var stream = Task.WhenAll(Enumerable.Range(1, 4).Select(Stream));
        foreach (var name in (string[])["a", "w1", "b", "w2"])
        {
            // The load balancer stops sending requests to the leaving replica.
            fleet.Endpoint.Targets = name == "a"
                ? [fleet.ConnectorPort("b"), fleet.ConnectorPort("a")] : [fleet.ConnectorPort("a"), fleet.ConnectorPort("b")];
            var process = fleet.Process(name);
            process.Signal(ServiceProcess.Terminate);
            (await process.Ended(TimeSpan.FromMinutes(5))).ShouldBe(0, process.Output);
            await (name[0] == 'w' ? fleet.StartWorker(name) : fleet.StartApi(name));
            var before = runs.Count;
            await Eventually.Holds(() => stream.IsCompleted || runs.Count > before + 4, "more runs", fleet.Report);
        }

        await over.CancelAsync();
        await stream;
        foreach (var id in runs)
        {
            var run = await fleet.Ended(id);
            run["state"]!.GetValue<string>().ShouldBe("succeeded", $"{run} {await fleet.Outcomes(id)} {fleet.Report()}");
        }

        (await RunFixture.Get(fleet.Client, "/v1/runs?limit=200"))["items"]!.AsArray().Count.ShouldBe(
            runs.Count, "a request that was sent again started one run");

        // Starts one run after the other on one router.
        async Task Stream(int router)
        {
            var number = 0;
            while (!over.IsCancellationRequested)
            {
                number++;
                var id = await Accepted(fleet.Routes([Routers.Name(router)], number), $"rolling-restart-{router}-{number:0000}");
                runs.Enqueue(id);
                await fleet.Ended(id);
            }
        }

        // Repeats a request with the same key on a new connection, as a customer's script should.
        async Task<string> Accepted(object body, string key)
        {
            var tries = 0;
            while (true)
            {
                try
                {
                    using var client = fleet.ClientOf(balancer.Address.Port, fleet.Tenant.Key);
                    using var request =
                        new HttpRequestMessage(HttpMethod.Post, "/v1/runs") { Content = System.Net.Http.Json.JsonContent.Create(body) };
                    request.Headers.Add("Idempotency-Key", key);
                    using var answer = await client.SendAsync(request);
                    var text = await answer.Content.ReadAsStringAsync();
                    if (answer.StatusCode == HttpStatusCode.Accepted)
                    {
                        return System.Text.Json.Nodes.JsonNode.Parse(text)!["id"]!.GetValue<string>();
                    }

                    ((int)answer.StatusCode >= 500 || answer.StatusCode == HttpStatusCode.Conflict)
                        .ShouldBeTrue($"{answer.StatusCode} {text}");
                }
                catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
                {
                    // The replica is leaving.
                }

                (++tries).ShouldBeLessThan(100, key);
                await Task.Delay(200);
            }
        }
    }
}
