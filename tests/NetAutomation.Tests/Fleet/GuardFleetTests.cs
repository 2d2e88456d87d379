using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Changes that go back unless they are confirmed, with the real worker and engine, judged by the devices' journals.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class GuardFleetTests(PostgresServer postgres) : IDisposable
{
    private static readonly string[] _names = ["d01", "d02", "d03"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-guard-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Waves_that_hold_are_confirmed_one_after_the_other_and_charged_and_say_what_would_have_taken_them_back()
    {
        using var ios = await Ios("127.72.1.1");
        using var eos = await Imitations.Start(_folder.FullName, "eos", "127.72.2.1", 1);
        await using var fleet = await Start(ios, eos);
        await fleet.StartWorker("worker");

        var run = await fleet.StartRun(Guarded(fleet, ["d01", "eos-d01", "ios-d01", "ios-d02"], new { waves = new object[] { 1, "50%" } }));
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("d01:changed eos-d01:changed ios-d01:changed ios-d02:changed", fleet.Report());
        ended["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.300000");
        ended["guard"]!["waves"]!.AsArray().Select(wave => (int)wave!).ShouldBe([1, 2, 4]);
        (await fleet.Devices(run)).ToDictionary(device => device.Key, device => $"{device.Value["guard"]}").ShouldBe(
            new Dictionary<string, string> { ["d01"] = "soft", ["eos-d01"] = "hard", ["ios-d01"] = "hard", ["ios-d02"] = "hard" },
            ignoreOrder: true);
        ios.Journal("d01").Select(each => each.Split(' ')[0]).Where(each => each is "arm" or "confirm" or "save")
            .ShouldBe(["arm", "confirm", "save"]);
        var told = await Events(fleet, run, "guard");
        told.Where(each => $"{each["deviceId"]}" == fleet.DeviceId("ios-d01")).Select(Step).ShouldBe(["planned", "armed", "confirmed"]);
        var order = told.Select(Step).Where(step => step is "armed" or "confirmed").ToList();
        order[..4].ShouldBe(["armed", "confirmed", "armed", "confirmed"]);
        order[4..].ShouldBe(["armed", "armed", "confirmed", "confirmed"]);
    }

    [Fact]
    public async Task Check_that_fails_takes_the_whole_wave_back_for_nothing_and_no_further_wave_begins()
    {
        using var ios = await Ios("127.72.3.1", devices: 3);
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        var before = new[] { await ios.Text("d01"), await ios.Text("d02") };
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "reachability", kind = "pay_per_use" }, null, 201);
        await ios.Type("d02", "interface Loopback9\nip address 10.44.0.1 255.255.255.255");
        before[1] = await ios.Text("d02");

        var check = new { type = "block", block = "reachability", input = new { destinations = new[] { new { address = "10.44.0.1" } } } };
        var run = await fleet.StartRun(Guarded(
            fleet, ["ios-d01", "ios-d02", "ios-d03"], new { waves = new[] { 2 }, checks = new object[] { check } }));
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe(
            "ios-d01:reverted(guard_check_failed) ios-d02:reverted(not_confirmed) ios-d03:not_started(max_failures)", fleet.Report());
        (ended["state"]!.GetValue<string>(), ended["charged"]!["amount"]!.GetValue<string>(), (int)ended["summary"]!["reverted"]!)
            .ShouldBe(("failed", "0.000000", 2));
        // Whoever reads it finds which check failed where, and what it found.
        $"{(await fleet.Devices(run))["ios-d02"]["message"]}".ShouldStartWith("ios-d01 failed (guard_check_failed).");
        var told = (await Events(fleet, run, "wave")).ShouldHaveSingleItem()["data"]!;
        ($"{told["wave"]}", $"{told["decision"]}", $"{told["failed"]![0]!["name"]}").ShouldBe(("1", "reverted", "ios-d01"));
        $"{told["failed"]![0]!["message"]}".ShouldContain("10.44.0.1");
        (await ios.Text("d01")).ShouldBe(before[0]);
        (await ios.Text("d02")).ShouldBe(before[1]);
    }

    [Fact]
    public async Task Device_that_fails_where_failures_are_allowed_goes_back_alone_and_holds_up_no_other_of_its_wave()
    {
        using var ios = await Ios("127.72.5.1");
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        ios.Trouble(new { d02 = new { refuse = "ip route 10\\.9" } });
        var run = await fleet.StartRun(
            Guarded(fleet, ["ios-d01", "ios-d02"], new { confirmSeconds = 600, maxFailures = 1, waves = new[] { 2 } }));
        await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("ios-d01:changed ios-d02:reverted(task_failed)", fleet.Report());
        ios.Journal("d01").ShouldContain("confirm");
    }

    [Fact]
    public async Task Device_that_is_no_longer_as_planned_is_left_alone_and_the_others_of_its_wave_are_changed()
    {
        using var ios = await Ios("127.72.6.1");
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        var body = Guarded(fleet, ["ios-d01", "ios-d02"], new { waves = new[] { 2 } });
        var plan = (await RunFixture.Post(fleet.Client, "/v1/plans", body, null, 202))["id"]!.GetValue<string>();
        await Eventually.Holds(
            async () => $"{(await RunFixture.Get(fleet.Client, $"/v1/plans/{plan}"))["state"]}" == "ready", "the plan", fleet.Report);
        await ios.Type("d01", "hostname other");
        var run = await fleet.StartRun(new JsonObject { ["planId"] = plan });
        await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("ios-d01:not_started(drift) ios-d02:changed", fleet.Report());
        ios.Journal("d01").ShouldNotContain(each => each.StartsWith("arm", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Wave_with_a_device_that_lets_nobody_in_is_not_begun_on_any_other()
    {
        using var ios = await Ios("127.72.7.1");
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        ios.Trouble(new { d02 = new { vtys = 0 } });
        var run = await fleet.StartRun(Guarded(fleet, ["ios-d01", "ios-d02"], new { waves = new[] { 2 } }));
        await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldStartWith("ios-d01:not_started(max_failures) ios-d02:", Case.Sensitive, fleet.Report());
        $"{(await fleet.Devices(run))["ios-d01"]["message"]}".ShouldStartWith("ios-d02 failed (");
        ios.Journal("d01").ShouldNotContain(each => each.StartsWith("arm", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, "ios-d01:changed(verified)", "0.150000", "keeps it")]
    [InlineData(false, "ios-d01:failed(task_failed)", "0.000000", "is not saved")]
    public async Task Change_that_is_confirmed_and_not_saved_is_saved_by_a_look_and_charged_or_told_to_be_lost_by_a_restart(
        bool saves, string outcome, string charged, string message)
    {
        using var ios = await Ios("127.72.8.1");
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        ios.Trouble(new { d01 = new { refuse = "^write memory" } });
        var run = await fleet.StartRun(Guarded(fleet, ["ios-d01"], new { }));
        await Eventually.Holds(
            async () => $"{(await fleet.Devices(run))["ios-d01"]["phase"]}" == "reverting", "the look", fleet.Report);
        if (saves)
        {
            ios.Trouble(new { });
        }

        var ended = await fleet.Ended(run);
        (await fleet.Outcomes(run)).ShouldBe(outcome, fleet.Report());
        var device = (await fleet.Devices(run))["ios-d01"];
        ((bool)device["changed"]!, ended["charged"]!["amount"]!.GetValue<string>()).ShouldBe((true, charged));
        $"{device["message"]}".ShouldContain(message);
        string[] told = saves ? ["confirm", "save"] : ["confirm"];
        ios.Journal("d01").Where(each => each is "confirm" or "save").ShouldBe(told);
    }

    [Fact]
    public async Task Worker_killed_between_change_and_confirmation_leaves_devices_that_its_successor_finds_as_before()
    {
        using var ios = await Ios("127.72.4.1", minute: 20);
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        var (hard, soft) = (await ios.Text("d01"), fleet.Routers.Journal().Count);
        var run = await fleet.StartRun(Guarded(
            fleet, ["d01", "ios-d01"],
            new { confirmSeconds = 120, waves = new[] { 2 }, checks = new[] { new { type = "soak", seconds = 30 } } }));
        await Eventually.Holds(
            () => ios.Journal("d01").Any(each => each.StartsWith("line ip route", StringComparison.Ordinal))
                && fleet.Routers.Journal().Any(each => each.Text == ServiceFleet.Line(9)), "the lines", fleet.Report);

        fleet.Process("worker").Kill();
        await fleet.StartWorker("other");
        await Eventually.Holds(
            async () => (await fleet.Devices(run)).Values.Any(device => $"{device["phase"]}" == "reverting"), "the phase", fleet.Report);
        var ended = await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("d01:reverted(worker_lost) ios-d01:reverted(worker_lost)", fleet.Report());
        (ended["state"]!.GetValue<string>(), ended["charged"]!["amount"]!.GetValue<string>()).ShouldBe(("failed", "0.000000"));
        (await ios.Text("d01")).ShouldBe(hard);
        fleet.Routers.Journal().Skip(soft).Where(each => each.Kind == "line" && each.Text!.Contains("ip route", StringComparison.Ordinal))
            .Select(each => each.Text).ShouldBe([ServiceFleet.Line(9), $"no {ServiceFleet.Line(9)}"], fleet.Report());
    }

    [Fact]
    public async Task Secret_rotated_after_a_worker_was_lost_stops_what_was_not_begun_and_the_rest_goes_back()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 2, content: Keyed());
        await fleet.StartWorker("worker");
        var secret = (await fleet.Client.Call(
            "POST", "/v1/credentials", new { name = "key", kind = "secret", password = Imitations.Secret() }))
            .Must(System.Net.HttpStatusCode.Created).Id;
        var body = Guarded(
            fleet, ["d01", "d02"],
            new { confirmSeconds = 120, waves = new[] { 1 }, maxFailures = 1, checks = new[] { new { type = "soak", seconds = 30 } } });
        body["input"]!["key"] = new JsonObject { ["credentialId"] = secret };
        var run = await fleet.StartRun(body);
        await fleet.Journal(journal => journal.Any(each => each.Text == ServiceFleet.Line(9)), "the line");

        fleet.Process("worker").Kill();
        (await fleet.Client.Call("PATCH", $"/v1/credentials/{secret}", new { password = Imitations.Secret() }, "*"))
            .Must(System.Net.HttpStatusCode.OK);
        await fleet.StartWorker("other");
        await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("d01:reverted(worker_lost) d02:not_started(secret_rotated)", fleet.Report());
        fleet.Routers.Journal().Where(each => each.Kind == "line" && each.Text!.Contains("ip route", StringComparison.Ordinal))
            .Select(each => each.Text).ShouldBe([ServiceFleet.Line(9), $"no {ServiceFleet.Line(9)}"], fleet.Report());
    }

    /// <summary>The repository's static-routes, whose input also has a secret.</summary>
    private string Keyed()
    {
        const string Block = "Blocks/static-routes";
        var source = $"{PostgresServer.RepositoryRoot()}/src";
        var files = Directory.GetFiles($"{source}/Platforms/frr").Select(file => Path.GetRelativePath(source, file));
        foreach (var file in files.Concat([$"{Block}/README.md", $"{Block}/block.yaml", $"{Block}/platforms/frr.yml"]))
        {
            var copy = Path.Combine(_folder.FullName, file);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(Path.Combine(source, file), copy);
        }

        var manifest = Path.Combine(_folder.FullName, Block, "block.yaml");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace(
            "\n  properties:\n", "\n  properties:\n    key: { type: object, format: secret }\n", StringComparison.Ordinal));
        return _folder.FullName;
    }

    private async Task<Imitations> Ios(string address, double minute = 60, int devices = 2)
    {
        var ios = await Imitations.Start(_folder.FullName, "ios", address, devices, minute);
        foreach (var device in _names.Where(ios.Has))
        {
            await ios.Type(device, "archive\npath flash:archive");
        }

        return ios;
    }

    private async Task<ServiceFleet> Start(params Imitations[] makes)
    {
        var all = makes.SelectMany(make => _names.Where(make.Has).Select(device => (Make: make, Device: device))).ToList();
        var fleet = await ServiceFleet.Start(
            postgres, 1, reach: [.. all.Select(each => $"{each.Make.Address(each.Device)}/32 {each.Make.Port}")]);
        foreach (var (make, device) in all)
        {
            await fleet.Add(make, device);
        }

        return fleet;
    }

    private static JsonObject Guarded(ServiceFleet fleet, string[] devices, object guard)
    {
        var body = fleet.Routes(devices, 9);
        body["guard"] = System.Text.Json.JsonSerializer.SerializeToNode(guard);
        return body;
    }

    private static string Step(JsonNode told) => $"{told["data"]!["step"]}";

    private static async Task<List<JsonNode>> Events(ServiceFleet fleet, string run, string type) =>
        [.. (await RunFixture.Get(fleet.Client, $"/v1/runs/{run}/events"))["items"]!.AsArray()
            .Where(each => $"{each!["type"]}" == type).Select(each => each!)];
}
