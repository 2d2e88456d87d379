using System.Net;
using System.Text;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>What may be done with a device that a run has, and what has to wait.</summary>
public sealed class HeldDeviceTests(PostgresServer postgres)
{
    private static readonly string _other = $"SHA256:{new string('B', 42)}E";

    [Fact]
    public async Task How_a_device_is_reached_stays_while_a_run_writes_to_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun(
            new
            {
                block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { $"{fixture.Devices[0]}" } },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
            });
        var run = (await fixture.Claim())!;
        var (held, free) = ($"/v1/devices/{fixture.Devices[0]}", $"/v1/devices/{fixture.Devices[1]}");
        var before = (await fixture.Client.Call("GET", held)).Must(HttpStatusCode.OK).Text;

        foreach (var attempt in Attempts(fixture, held))
        {
            (await attempt()).Must(HttpStatusCode.Conflict).Problem.ShouldBe("device_in_use");
        }

        (await fixture.Client.Call("POST", $"{held}:test")).Must(HttpStatusCode.Conflict).Text.ShouldContain($"{run.Id}");
        (await fixture.Client.Call("GET", held)).Text.ShouldBe(before);
        (await fixture.Client.Call("PATCH", held, new { labels = new { role = "core" } }, "*")).Must(HttpStatusCode.OK);
        (await fixture.Client.Call("PATCH", free, new { hostKeySha256 = "" }, "*")).Must(HttpStatusCode.OK);
        (await fixture.Client.Call("POST", $"{free}:test")).Must(HttpStatusCode.OK);

        await fixture.Work(run);
        (await fixture.Client.Call("POST", $"{held}:test")).Must(HttpStatusCode.OK)
            .Json.GetProperty("code").GetString().ShouldBe("connector_absent", "no connector is really there");
        foreach (var attempt in Attempts(fixture, held))
        {
            (await attempt()).Must(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task A_run_that_reads_leaves_its_devices_to_others()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun(
            new
            {
                block = "static-routes", mode = "check", targets = new { all = true },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
            });
        (await fixture.Claim()).ShouldNotBeNull();
        var device = $"/v1/devices/{fixture.Devices[0]}";
        (await fixture.Client.Call("POST", $"{device}:test")).Must(HttpStatusCode.OK);
        (await fixture.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = _other })).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_device_whose_run_is_unknown_stays_as_it_is_until_the_run_is_resolved()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Unknown);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}"))["state"]!.GetValue<string>().ShouldBe("unknown");
        var pin = $"/v1/devices/{fixture.Devices[0]}:pin";
        (await fixture.Client.Call("POST", pin, new { hostKeySha256 = _other })).Must(HttpStatusCode.Conflict);
        await fixture.Post(
            fixture.Client, $"/v1/runs/{run.Id}:resolve",
            new
            {
                verdict = "abandoned", devices = new[] { new { deviceId = $"{fixture.Devices[0]}", outcome = "failed" } },
                evidence = "looked at",
            });
        (await fixture.Client.Call("POST", pin, new { hostKeySha256 = _other })).Must(HttpStatusCode.OK);
    }

    private static Func<Task<Answer>>[] Attempts(RunFixture fixture, string device) =>
    [
        () => fixture.Client.Call("POST", $"{device}:pin", new { hostKeySha256 = _other }),
        () => fixture.Client.Call("PATCH", device, new { hostKeySha256 = "" }, "*"),
        () => fixture.Client.Call("PATCH", device, new { address = "10.66.9.9" }, "*"),
        () => fixture.Client.Call("PATCH", device, new { port = 2022 }, "*"),
        () => fixture.Client.Call(
            "POST", "/v1/devices:import",
            new StringContent($"name,address,hostKeySha256\r\nr001,10.66.9.10,{_other}\r\n", Encoding.UTF8, "text/csv")),
    ];
}
