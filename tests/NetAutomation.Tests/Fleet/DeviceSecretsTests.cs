using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Secrets in the configurations of devices that real runs read and change: nobody sees them but who asks for the text.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class DeviceSecretsTests(PostgresServer postgres) : IDisposable
{
    private const string Planted = "zQx7planted";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-planted-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Secrets_planted_on_devices_are_in_no_events_log_diff_result_plan_or_output_of_a_process()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.73.1.1", 1);
        using var eos = await Imitations.Start(_folder.FullName, "eos", "127.73.2.1", 1);
        await using var fleet = await ServiceFleet.Start(
            postgres, 1, reach: [$"{ios.Address("d01")}/32 {ios.Port}", $"{eos.Address("d01")}/32 {eos.Port}"]);
        await ios.Type("d01", "archive\npath flash:archive");
        string[] lines =
        [
            $"enable secret 9 {Planted}0", $"username ann privilege 15 secret 9 {Planted}1",
            $"username bob privilege 1 secret 5 {Planted}2", $"snmp-server community {Planted}3 RO",
            $"router bgp 65000\nneighbor 192.0.2.9 remote-as 65001\nneighbor 192.0.2.9 password 7 {Planted}4",
        ];
        foreach (var line in lines)
        {
            await ios.Type("d01", line);
        }

        await eos.Type("d01", $"snmp-server community {Planted}5 ro");
        await eos.Type("d01", $"router bgp 65000\nneighbor 192.0.2.9 remote-as 65001\nneighbor 192.0.2.9 password 7 {Planted}6");
        (await ios.Text("d01")).Split(Planted).Length.ShouldBe(lines.Length + 1);
        (await eos.Text("d01")).Split(Planted).Length.ShouldBe(3);
        await fleet.Add(ios, "d01");
        await fleet.Add(eos, "d01");
        foreach (var block in new[] { "snmp", "config-backup" })
        {
            await RunFixture.Post(fleet.Client, "/v1/purchases", new { block, kind = "pay_per_use" }, null, 201);
        }

        var secret = (await fleet.Client.Call(
            "POST", "/v1/credentials", new { name = "community", kind = "secret", password = $"{Planted}8" }))
            .Must(HttpStatusCode.Created).Id;
        await fleet.StartWorker("worker");
        using var viewer = await fleet.Host.CreateKey(fleet.Tenant, MemberRole.Viewer);
        var targets = new JsonObject
        {
            ["deviceIds"] = new JsonArray(fleet.DeviceId("ios-d01"), fleet.DeviceId("eos-d01")),
        };
        var change = new JsonObject
        {
            ["block"] = "snmp", ["mode"] = "apply", ["targets"] = targets.DeepClone(), ["guard"] = new JsonObject(),
            ["input"] = new JsonObject
            {
                ["communities"] = new JsonArray(new JsonObject { ["community"] = new JsonObject { ["credentialId"] = secret } }),
            },
        };
        var plan = (await RunFixture.Post(fleet.Client, "/v1/plans", change.DeepClone(), null, 202))["id"]!.GetValue<string>();
        await Eventually.Holds(
            async () => $"{(await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}"))["state"]}" != "planning", "the plan", fleet.Report);
        $"{(await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}"))["state"]}".ShouldBe(
            "ready", $"{await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}/devices")}");
        var runs = new List<string>();
        foreach (var body in new[]
        {
            new JsonObject { ["planId"] = plan },
            new JsonObject { ["block"] = "config-backup", ["targets"] = targets.DeepClone(), ["input"] = new JsonObject() },
        })
        {
            runs.Add(await fleet.StartRun(body));
            $"{(await fleet.Ended(runs[^1]))["state"]}".ShouldBe("succeeded", fleet.Report());
        }

        (await ios.Text("d01")).ShouldContain($"{Planted}8");
        var asked = new List<string>
        {
            $"/v1/plans/{plan}", $"/v1/plans/{plan}/devices", "/v1/feed", "/v1/audit", "/v1/export", "/v1/configs:search?regex=.",
        };
        foreach (var device in new[] { fleet.DeviceId("ios-d01"), fleet.DeviceId("eos-d01") })
        {
            asked.AddRange([$"/v1/devices/{device}/configs", $"/v1/devices/{device}/configs:diff"]);
            asked.AddRange(runs.SelectMany(run => new[] { $"/v1/runs/{run}/devices/{device}", $"/v1/runs/{run}/devices/{device}/diff" }));
        }

        asked.AddRange(runs.SelectMany(
            run => new[] { $"/v1/runs/{run}", $"/v1/runs/{run}/devices", $"/v1/runs/{run}/events", $"/v1/runs/{run}/log" }));
        foreach (var path in asked)
        {
            (await viewer.Call("GET", path)).Must(HttpStatusCode.OK).Text.ShouldNotContain(Planted, Case.Sensitive, path);
        }

        (await viewer.Call("GET", $"/v1/runs/{runs[0]}/devices/{fleet.DeviceId("ios-d01")}/diff")).Text.ShouldContain("***");
        (await viewer.Call("GET", "/v1/configs:search?q=snmp-server")).Text.ShouldContain("snmp-server community ***");
        fleet.Process("worker").Output.ShouldNotContain(Planted);

        // The text as it is stands in the artifact, which is the operators'.
        var artifact = $"/v1/runs/{runs[1]}/devices/{fleet.DeviceId("ios-d01")}/artifacts/running-config.txt";
        (await viewer.Call("GET", artifact)).Must(HttpStatusCode.Forbidden).Problem.ShouldBe("role_insufficient");
        (await fleet.Client.Call("GET", artifact)).Must(HttpStatusCode.OK).Text.ShouldContain($"{Planted}3");
    }
}
