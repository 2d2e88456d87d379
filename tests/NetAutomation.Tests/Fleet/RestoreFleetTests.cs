using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.History;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Fleet;

/// <summary>Configurations given back with the real worker and engine, judged by the devices' own texts.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed partial class RestoreFleetTests(PostgresServer postgres) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-restore-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Device_that_was_changed_gets_its_configuration_back_byte_for_byte_and_nobody_sees_the_secrets_in_it()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.74.1.1", 1);
        using var eos = await Imitations.Start(_folder.FullName, "eos", "127.74.2.1", 1);
        await using var fleet = await ServiceFleet.Start(
            postgres, 1, reach: [$"{ios.Address("d01")}/32 {ios.Port}", $"{eos.Address("d01")}/32 {eos.Port}"]);
        await fleet.Add(ios, "d01");
        await fleet.Add(eos, "d01");
        await fleet.StartWorker("worker");
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "config-restore", kind = "pay_per_use" }, null, 201);
        await ios.Type("d01", "archive\npath flash:archive");
        await Secrets(ios, "before");
        await Secrets(eos, "before");
        var (wasIos, wasEos, routers) = (await ios.Text("d01"), await eos.Text("d01"), fleet.Routers.Journal().Count);
        string[] names = ["d01", "eos-d01", "ios-d01"];
        await fleet.Ended(await fleet.StartRun(fleet.Routes(names, 9)));
        await Secrets(ios, "since");
        await Secrets(eos, "since");
        var secrets = new[] { wasIos, wasEos, await ios.Text("d01"), await eos.Text("d01") }.SelectMany(SecretsIn).Distinct().ToList();
        secrets.Count.ShouldBe(8);

        var seen = new StringBuilder();
        foreach (var name in names)
        {
            var path = $"/v1/devices/{fleet.DeviceId(name)}/configs";
            var before = await Config(fleet, path, "before");
            var check = await RunFixture.Post(fleet.Client, $"{path}/{before["id"]}:restore", new { mode = "check" }, null, 202);
            await fleet.Ended($"{check["id"]}");
            (await fleet.Outcomes($"{check["id"]}")).ShouldBe($"{name}:changed", fleet.Report());
            var run = await RunFixture.Post(fleet.Client, $"{path}/{before["id"]}:restore", new { }, null, 202);
            var ended = await fleet.Ended($"{run["id"]}");

            (await fleet.Outcomes($"{run["id"]}")).ShouldBe($"{name}:changed", fleet.Report());
            ended["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.150000");
            ((int)(await Config(fleet, path, "after"))["version"]!).ShouldBe((int)before["version"]!, name);
            foreach (var each in new[] { run, check })
            {
                foreach (var part in new[] { "", "/events", "/log", "/devices", $"/devices/{fleet.DeviceId(name)}/diff" })
                {
                    seen.Append((await fleet.Client.Call("GET", $"/v1/runs/{each["id"]}{part}")).Must(HttpStatusCode.OK).Text);
                }
            }
        }

        (await ios.Text("d01")).ShouldBe(wasIos);
        (await eos.Text("d01")).ShouldBe(wasEos);
        fleet.Routers.Journal().Skip(routers)
            .Where(each => each.Kind == "line" && each.Text!.Contains("ip route", StringComparison.Ordinal)).Select(each => each.Text)
            .ShouldBe([ServiceFleet.Line(9), $"no {ServiceFleet.Line(9)}"]);
        ios.Journal("d01").Select(each => each.Split(' ')[0]).Where(each => each is "arm" or "confirm").ShouldBe(["arm", "confirm"]);
        seen.ToString().ShouldContain("snmp-server community ***");
        secrets.ShouldAllBe(secret => !seen.ToString().Contains(secret, StringComparison.Ordinal));
        secrets.ShouldAllBe(secret => !fleet.Process("worker").Output.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Configuration_that_the_device_does_not_show_again_fails_for_nothing_and_leaves_the_one_before()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.74.3.1", 1);
        await using var fleet = await ServiceFleet.Start(postgres, 1, reach: [$"{ios.Address("d01")}/32 {ios.Port}"]);
        await fleet.Add(ios, "d01");
        await fleet.StartWorker("worker");
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "config-restore", kind = "pay_per_use" }, null, 201);
        // It shows users in the order in which they were typed.
        await ios.Type("d01", "archive\npath flash:archive\nusername one password 7 0822455D0A16\nusername two password 7 060506324F41");
        await fleet.Ended(await fleet.StartRun(fleet.Routes(["ios-d01"], 9)));
        await ios.Type("d01", "no username one");
        var before = await ios.Text("d01");

        var path = $"/v1/devices/{fleet.DeviceId("ios-d01")}/configs";
        var config = await Config(fleet, path, "after");
        var run = $"{(await RunFixture.Post(fleet.Client, $"{path}/{config["id"]}:restore", new { }, null, 202))["id"]}";
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("ios-d01:reverted(task_failed)", fleet.Report());
        var device = (await fleet.Devices(run))["ios-d01"];
        $"{device["message"]}".ShouldContain("the device does not show the configuration that it was to have");
        $"{device["message"]}".ShouldNotContain("0822455D0A16");
        ended["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        (await ios.Text("d01")).ShouldBe(before);
    }

    [Fact]
    public async Task Restore_whose_configuration_is_forgotten_before_it_starts_leaves_the_device_alone_for_nothing()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 1);
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "config-restore", kind = "pay_per_use" }, null, 201);
        var device = DeviceId.Parse(fleet.DeviceId("d01"));
        await using (var scope = fleet.Host.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
            await using var transaction = await db.Begin(fleet.Tenant.Id, CancellationToken.None);
            await scope.ServiceProvider.GetRequiredService<ConfigHistory>().Keep(
                fleet.Tenant.Id, RunId.New(), false,
                [new SeenTexts(DateTimeOffset.UtcNow, device, new DeviceTexts("frr", "hostname other\n"u8.ToArray(), null))],
                CancellationToken.None);
            await transaction.CommitAsync();
        }

        var path = $"/v1/devices/{device}/configs";
        var config = (await RunFixture.Get(fleet.Client, path))["items"]![0]!["id"];
        var run = $"{(await RunFixture.Post(fleet.Client, $"{path}/{config}:restore", new { }, null, 202))["id"]}";
        await using (var source = NpgsqlDataSource.Create(fleet.Database.Owner))
        {
            await source.Execute("delete from history.config");
        }

        await fleet.StartWorker("worker");
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("d01:not_started(refused)", fleet.Report());
        ended["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        fleet.Routers.Journal().ShouldBeEmpty();
    }

    /// <summary>Gives a device other secrets: of its privileged mode, of SNMP, and one that is veiled.</summary>
    private static Task Secrets(Imitations make, string when) => make.Type("d01", make.Platform == "ios"
        ? $"""
            enable secret {when}-Enable1
            no snmp-server community {(when == "before" ? "since" : "before")}-Ro
            snmp-server community {when}-Ro RO
            username old password 7 {(when == "before" ? "0822455D0A16" : "060506324F41")}
            """
        : $"""
            enable password {when}-Enable1
            no snmp-server community {(when == "before" ? "since" : "before")}-Ro
            snmp-server community {when}-Ro ro
            ntp authentication-key 7 md5 7 {(when == "before" ? "0822455D0A16" : "060506324F41")}
            """);

    private static IEnumerable<string> SecretsIn(string text) => Secret().Matches(text).Select(match => match.Groups["secret"].Value);

    private static async Task<JsonNode> Config(ServiceFleet fleet, string path, string kind) =>
        (await RunFixture.Get(fleet.Client, path))["items"]!.AsArray().First(config => $"{config!["kind"]}" == kind)!;

    [GeneratedRegex(
        @"^(?:enable (?:secret|password)(?: (?:[0-9]|sha512))?|snmp-server community|username old password 7"
            + @"|ntp authentication-key 7 md5 7) (?<secret>\S+)",
        RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Secret();
}
