using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>A worker's host has no room for sandboxes for a while.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class NoSandboxTests(PostgresServer postgres)
{
    [Fact]
    public async Task Run_and_test_without_a_sandbox_end_as_the_services_fault_and_cost_nothing()
    {
        var folder = Directory.CreateTempSubdirectory("na-n");
        try
        {
            var (program, full) = (Path.Combine(folder.FullName, "bwrap"), Path.Combine(folder.FullName, "full"));
            // The worker's own check at its start succeeds.
            await File.WriteAllTextAsync(program, $"#!/bin/sh\n[ ! -e {full} ] || exit 1\nexec /usr/bin/bwrap \"$@\"\n");
            File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
            File.SetUnixFileMode(folder.FullName, (UnixFileMode)0b111_101_101);
            await using var fleet = await ServiceFleet.Start(postgres, 1, settings: $"Execution:Bubblewrap={program}");
            await fleet.StartWorker("worker", "Execution:Spares=0");

            await File.WriteAllTextAsync(full, "");
            var alone = (await fleet.Client.Call("POST", $"/v1/devices/{fleet.DeviceId("d01")}:test")).Must(HttpStatusCode.OK).Json;
            (alone.GetProperty("code").GetString(), alone.GetProperty("stage").GetString(), alone.GetProperty("reachable").GetBoolean())
                .ShouldBe(("sandbox_failed", null, false));
            var started = await RunFixture.Post(fleet.Client, "/v1/devices:test", new { targets = new { all = true } }, null, 202);
            JsonNode? tested = null;
            await Eventually.Holds(
                async () =>
                {
                    tested = (await RunFixture.Get(fleet.Client, $"/v1/device-tests/{started["id"]}"))["items"]![0];
                    return tested!["code"] is not null;
                },
                "the test's result", fleet.Report);
            var id = await fleet.StartRun(fleet.Routes(["d01"], 1));
            var run = await fleet.Ended(id);

            (await fleet.Outcomes(id)).ShouldBe("d01:not_started(sandbox_failed)", fleet.Report());
            (run["state"]!.GetValue<string>(), decimal.Parse($"{run["charged"]!["amount"]}", CultureInfo.InvariantCulture))
                .ShouldBe(("failed", 0m), $"{run}");
            (tested!["code"]!.GetValue<string>(), tested["stage"]).ShouldBe(("sandbox_failed", null), $"{tested}");
            fleet.Routers.Journal().ShouldBeEmpty();

            // Nothing is left that would keep the device from the next run.
            File.Delete(full);
            (await fleet.Ended(await fleet.StartRun(fleet.Routes(["d01"], 1))))["state"]!.GetValue<string>()
                .ShouldBe("succeeded", fleet.Report());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
