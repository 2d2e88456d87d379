using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Fleet;

/// <summary>Tests of devices through a real connector, which has seen the fences of runs.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class DeviceTestTests(PostgresServer postgres)
{
    private static readonly string _bogus = $"SHA256:{new string('B', 42)}E";

    [Fact]
    public async Task A_device_is_tested_and_pinned_whenever_no_run_writes_to_it_whatever_runs_came_before()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 2);
        await fleet.StartWorker("worker");
        var (device, key) = ($"/v1/devices/{fleet.DeviceId("d01")}", fleet.Routers.HostKey(1));
        (await Tested(fleet, "d01")).ShouldBe("True auth ");

        // While a run writes to the device, nothing outside the run gets near it, and the run is not disturbed.
        fleet.Routers.Slow(("d01", 4));
        var id = await fleet.StartRun(fleet.Routes(["d01"], 1, 2, 3, 4));
        await fleet.Journal(journal => journal.Any(h => h.Kind == "line"), "the first line");
        (await fleet.Client.Call("POST", $"{device}:test")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("device_in_use");
        (await fleet.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = _bogus })).Must(HttpStatusCode.Conflict);
        (await fleet.Client.Call("PATCH", device, new { hostKeySha256 = "" }, "*")).Must(HttpStatusCode.Conflict);
        var both = await Finished(fleet, await StartTest(fleet, new { all = true }));
        Results(both).ShouldBe(["d01 False  device_in_use", "d02 True auth "], fleet.Report());
        (await fleet.State(id)).ShouldBe("running", "the test came in the middle");
        (await fleet.Ended(id))["state"]!.GetValue<string>().ShouldBe("succeeded", fleet.Report());
        fleet.Routers.Journal().Where(h => h.Kind == "line").Select(h => h.Session).Distinct().ShouldHaveSingleItem(fleet.Report());
        fleet.Routers.Slow();

        // The connector has seen the run's fence. The device is replaced, and shows another key than the pinned one.
        (await Tested(fleet, "d01")).ShouldBe("True auth ", fleet.Report());
        (await fleet.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = _bogus })).Must(HttpStatusCode.OK);
        (await Tested(fleet, "d01")).ShouldBe("False ssh host_key_mismatch", fleet.Report());
        (await fleet.Client.Call("PATCH", device, new { hostKeySha256 = "" }, "*")).Must(HttpStatusCode.OK);
        var unpinned = await RunFixture.Post(fleet.Client, "/v1/runs", fleet.Routes(["d01"], 5), null, 422);
        unpinned["errors"]![0]!["code"]!.GetValue<string>().ShouldBe("host_key_not_pinned");
        (await Tested(fleet, "d01")).ShouldBe("True auth ", fleet.Report());
        (await RunFixture.Get(fleet.Client, device))["hostKeySha256"]!.GetValue<string>().ShouldBe(key);
        (await fleet.Ended(await fleet.StartRun(fleet.Routes(["d01"], 5))))["state"]!.GetValue<string>()
            .ShouldBe("succeeded", fleet.Report());

        // Or the customer knows the new key.
        (await fleet.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = _bogus })).Must(HttpStatusCode.OK);
        (await fleet.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = key })).Must(HttpStatusCode.OK);
        (await Tested(fleet, "d01")).ShouldBe("True auth ", fleet.Report());
        fleet.Routers.Journal().Where(h => h.Device == "d01" && h.Kind == "line").Select(h => h.Text)
            .ShouldBe(((int[])[1, 2, 3, 4, 5]).Select(ServiceFleet.Line), fleet.Report());
    }

    [Fact]
    public async Task Hundreds_of_devices_are_tested_by_one_call_though_their_worker_dies()
    {
        const int Unreachable = 300;
        await using var fleet = await ServiceFleet.Start(postgres, 2);
        var csv = new StringBuilder("name,site,address,platform,credential,enabled\r\n");
        for (var i = 0; i < Unreachable; i++)
        {
            // The connector's allow-list does not have them.
            csv.Append($"far{i:000},ams,127.77.{i / 100}.{(i % 100) + 1},frr,netops,true\r\n");
        }

        await RunFixture.Post(fleet.Client, "/v1/sites", new { name = "empty" }, null, 201);
        csv.Append("off,ams,127.77.9.1,frr,netops,false\r\nalone,empty,127.77.9.2,frr,netops,true\r\n");
        using var file = new StringContent(csv.ToString(), Encoding.UTF8, "text/csv");
        (await fleet.Client.Call("POST", "/v1/devices:import", file)).Must(HttpStatusCode.OK);
        (await fleet.Client.Call("PATCH", $"/v1/devices/{fleet.DeviceId("d02")}", new { hostKeySha256 = "" }, "*"))
            .Must(HttpStatusCode.OK);

        var path = await StartTest(fleet, new { all = true });
        await fleet.StartWorker("first");
        var done = 0;
        await Eventually.Holds(
            async () =>
            {
                done = (await RunFixture.Get(fleet.Client, $"{path}?limit=1"))["counts"]!["done"]!.GetValue<int>();
                return done > 0;
            },
            "the first results", fleet.Report);
        fleet.Process("first").Kill();
        done.ShouldBeLessThan(Unreachable, "it died in the middle");
        // As if the time of its lease were over.
        await using (var database = NpgsqlDataSource.Create(fleet.Database.Owner))
        {
            await database.Execute("update execution.device_test set lease_until = now()");
        }

        await fleet.StartWorker("second");
        var test = await Finished(fleet, path);

        var story = $"{test["counts"]} {fleet.Report()}";
        var counts = JsonSerializer.Deserialize<JsonElement>(test["counts"]);
        (counts.GetProperty("total").GetInt32(), counts.GetProperty("done").GetInt32(), counts.GetProperty("reachable").GetInt32())
            .ShouldBe((Unreachable + 4, Unreachable + 4, 2), story);
        counts.GetProperty("byCode").EnumerateObject().Select(code => $"{code.Name} {code.Value}")
            .ShouldBe(["connector_absent 1", "device_disabled 1", $"not_allowed {Unreachable}"], story);
        (await RunFixture.Get(fleet.Client, $"/v1/devices/{fleet.DeviceId("d02")}"))["hostKeySha256"]!.GetValue<string>()
            .ShouldBe(fleet.Routers.HostKey(2), "the first success pins");

        var (names, next) = (new List<string>(), (string?)null);
        do
        {
            var page = await RunFixture.Get(fleet.Client, $"{path}?limit=200{(next is null ? "" : $"&after={next}")}");
            names.AddRange(page["items"]!.AsArray().Select(item => item!["name"]!.GetValue<string>()));
            next = page["next"]?.GetValue<string>();
        }
        while (next is not null);
        names.Count.ShouldBe(Unreachable + 4);
        names.ShouldBeUnique();
    }

    /// <summary>Tests one device; returns whether it was reached, the stage and the code.</summary>
    private static async Task<string> Tested(ServiceFleet fleet, string name)
    {
        var test = (await fleet.Client.Call("POST", $"/v1/devices/{fleet.DeviceId(name)}:test")).Must(HttpStatusCode.OK).Json;
        return $"{test.GetProperty("reachable")} {test.GetProperty("stage")} {test.GetProperty("code")}";
    }

    private static async Task<string> StartTest(ServiceFleet fleet, object targets)
    {
        var started = await RunFixture.Post(fleet.Client, "/v1/devices:test", new { targets }, null, 202);
        return $"/v1/device-tests/{started["id"]!.GetValue<string>()}";
    }

    private static async Task<JsonNode> Finished(ServiceFleet fleet, string path)
    {
        JsonNode test = new JsonObject();
        await Eventually.Holds(
            async () =>
            {
                test = await RunFixture.Get(fleet.Client, $"{path}?wait=60");
                return test["state"]!.GetValue<string>() == "finished";
            },
            "the test to finish", fleet.Report);
        return test;
    }

    private static IEnumerable<string> Results(JsonNode test) => test["items"]!.AsArray()
        .Select(item => $"{item!["name"]} {item["reachable"]!.GetValue<bool>()} {item["stage"]} {item["code"]}")
        .Order(StringComparer.Ordinal);
}
