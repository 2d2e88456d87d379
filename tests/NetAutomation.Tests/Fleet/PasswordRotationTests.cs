using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Rotations of the password by which the service itself logs in, judged by the devices' journals.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class PasswordRotationTests(PostgresServer postgres) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-rotation-");
    private readonly Dictionary<string, string> _ids = [];

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Proven_password_logs_in_from_then_on_until_the_customer_gives_the_credential_another_one()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.71.1.1", 1);
        using var eos = await Imitations.Start(_folder.FullName, "eos", "127.71.2.1", 1);
        await using var fleet = await Start(ios, eos);
        await fleet.StartWorker("worker");
        var (iosDevice, eosDevice) = (await Add(fleet, ios, "d01"), await Add(fleet, eos, "d01"));
        var next = Imitations.Secret();
        var secret = await Secret(fleet, next);

        var check = await Run(fleet, Rotation(secret, "check", "ios-d01", "eos-d01"));
        (await fleet.Outcomes(check)).ShouldBe("eos-d01:changed ios-d01:changed", fleet.Report());
        foreach (var id in new[] { iosDevice, eosDevice })
        {
            (await Shown(fleet, id)).ShouldBe((false, false));
        }

        var run = await Run(fleet, Rotation(secret, "apply", "ios-d01", "eos-d01"));
        (await fleet.Outcomes(run)).ShouldBe("eos-d01:changed ios-d01:changed", fleet.Report());
        foreach (var (devices, id) in new[] { (ios, iosDevice), (eos, eosDevice) })
        {
            (await Shown(fleet, id)).ShouldBe((true, false), fleet.Report());
            var logins = devices.Logins("d01");
            logins.ShouldAllBe(login => login == "in");
            devices.Journal("d01").ShouldContain("save");
            (await Test(fleet, id)).ShouldBe("reachable");
            devices.Logins("d01", logins.Count).ShouldBe(["in"]);
        }

        var again = await Run(fleet, Rotation(secret, "apply", "ios-d01", "eos-d01"));
        (await fleet.Outcomes(again)).ShouldBe("eos-d01:ok ios-d01:ok", fleet.Report());
        ios.Logins("d01").Concat(eos.Logins("d01")).ShouldAllBe(login => login == "in");

        // The password of another user is proven in the same way, and is none of the login's.
        await ios.Type("d01", $"username spare privilege 1 secret {Imitations.Secret()}");
        var spare = Rotation(secret, "apply", "ios-d01");
        spare["input"]!["username"] = "spare";
        (await fleet.Outcomes(await Run(fleet, spare))).ShouldBe("ios-d01:changed", fleet.Report());
        ios.Logins("d01", user: "spare").ShouldBe(["in"]);

        // Nobody else sees anything of it, and nothing of it in what they see.
        var stranger = await fleet.Host.CreateTenant();
        (await stranger.Client.Call("GET", $"/v1/devices/{iosDevice}")).Must(HttpStatusCode.NotFound);
        (await Passwords(fleet, stranger.Id)).ShouldBe(0);
        (await Passwords(fleet, fleet.Tenant.Id)).ShouldBe(2);
        foreach (var path in new[] { "/devices", $"/devices/{iosDevice}", "/events", "/log", $"/devices/{iosDevice}/diff" })
        {
            (await fleet.Client.Call("GET", $"/v1/runs/{run}{path}")).Must(HttpStatusCode.OK).Text.ShouldNotContain(next);
        }

        fleet.Process("worker").Output.ShouldNotContain(next);

        // What the customer gives counts from then on: by another credential of one device, by another password of the other's.
        var own = await Credential(fleet, "own", next);
        (await fleet.Client.Call("PATCH", $"/v1/devices/{eosDevice}", new { credentialId = own }, "*")).Must(HttpStatusCode.OK);
        (await Shown(fleet, eosDevice)).ShouldBe((false, false));
        (await Test(fleet, eosDevice)).ShouldBe("reachable");
        var login = $"/v1/credentials/{_ids["login of ios-d01"]}";
        (await fleet.Client.Call("PATCH", login, new { username = "somebody" }, "*")).Must(HttpStatusCode.OK);
        (await Shown(fleet, iosDevice)).ShouldBe((false, false));
        (await fleet.Client.Call("PATCH", login, new { username = Imitations.Username, password = Imitations.Secret() }, "*"))
            .Must(HttpStatusCode.OK);
        var before = ios.Logins("d01").Count;
        (await Test(fleet, iosDevice)).ShouldBe("auth_failed");
        ios.Logins("d01", before).ShouldBe(["refused"]);
        (await Passwords(fleet, fleet.Tenant.Id)).ShouldBe(0);
    }

    [Fact]
    public async Task Refused_login_is_taken_back_and_costs_nothing_and_a_lost_session_is_settled_by_the_next_login()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.71.3.1", 3);
        using var eos = await Imitations.Start(_folder.FullName, "eos", "127.71.4.1", 1);
        await using var fleet = await Start(ios, eos);
        await fleet.StartWorker("worker");
        var accounts = new Dictionary<string, string> { [Imitations.Username] = ios.Password };
        // The first takes the line and asks a server for logins; the others end the session after the line, and the second does not let
        // it be taken back.
        ios.Trouble(new
        {
            d01 = (object)new { accounts },
            d02 = new { dropAfter = "username netops secret 0 ", refuse = "username netops .*secret 5 " },
            d03 = new { dropAfter = "username netops secret 0 " },
        });
        eos.Trouble(new { d01 = new { accounts = new Dictionary<string, string> { [Imitations.Username] = eos.Password } } });
        var (first, second, third) = (await Add(fleet, ios, "d01"), await Add(fleet, ios, "d02"), await Add(fleet, eos, "d01"));
        var fourth = await Add(fleet, ios, "d03");
        var texts = (await ios.Text("d01"), await ios.Text("d03"), await eos.Text("d01"));
        var secret = await Secret(fleet, Imitations.Secret());

        var run = await Run(fleet, Rotation(secret, "apply", "ios-d01", "ios-d02", "ios-d03", "eos-d01"));

        (await fleet.Outcomes(run)).ShouldBe(
            "eos-d01:failed(not_proven) ios-d01:failed(not_proven) ios-d02:failed(connection_closed) ios-d03:failed(connection_closed)",
            fleet.Report());
        foreach (var name in new[] { "ios-d01", "eos-d01" })
        {
            $"{(await fleet.Devices(run))[name]["message"]}".ShouldEndWith("The change is taken back.");
        }

        $"{(await fleet.Run(run))["charged"]!["amount"]}".ShouldBe("0.000000");
        (await ios.Text("d01"), await ios.Text("d03"), await eos.Text("d01")).ShouldBe(texts);
        ios.Journal("d01").Concat(eos.Journal("d01")).ShouldNotContain("save");

        // Nobody knows which one counts until somebody logs in, by each once at most.
        foreach (var id in new[] { first, second, third, fourth })
        {
            (await Shown(fleet, id)).ShouldBe((false, true));
        }

        // A third password beside two that are open would be one too many.
        var other = await Run(fleet, Rotation(await Secret(fleet, Imitations.Secret(), "other"), "apply", "ios-d02"));
        (await fleet.Outcomes(other)).ShouldBe("ios-d02:not_started(password_pending)");
        var (one, two) = (ios.Logins("d01").Count, ios.Logins("d02").Count);
        (await Test(fleet, first)).ShouldBe("reachable");
        ios.Logins("d01", one).ShouldBe(["in"]);
        (await Shown(fleet, first)).ShouldBe((false, false));
        var four = ios.Logins("d03").Count;
        (await Test(fleet, fourth)).ShouldBe("reachable");
        ios.Logins("d03", four).ShouldBe(["in"]);
        (await Test(fleet, second)).ShouldBe("reachable");
        (await Test(fleet, second)).ShouldBe("reachable");
        ios.Logins("d02", two).ShouldBe(["refused", "in", "in"]);
        (await Shown(fleet, second)).ShouldBe((true, false));
        (await Passwords(fleet, fleet.Tenant.Id)).ShouldBe(2);

        // While neither logs in, both stay.
        eos.Trouble(new { d01 = new { accounts = new Dictionary<string, string> { ["somebody"] = "else" } } });
        var three = eos.Logins("d01").Count;
        (await Test(fleet, third)).ShouldBe("auth_failed");
        eos.Logins("d01", three).ShouldBe(["refused", "refused"]);
        (await Shown(fleet, third)).ShouldBe((false, true));
        eos.Trouble(new { });
        (await Test(fleet, third)).ShouldBe("reachable");
        eos.Logins("d01", three + 2).ShouldBe(["in"]);
        (await Shown(fleet, third)).ShouldBe((false, false));
    }

    [Fact]
    public async Task Worker_killed_after_the_device_took_the_password_leaves_it_to_the_next_login_which_tries_each_once()
    {
        using var ios = await Imitations.Start(_folder.FullName, "ios", "127.71.5.1", 1);
        await using var fleet = await Start(ios);
        await fleet.StartWorker("worker");
        ios.Trouble(new { d01 = new { latency = 1.0 } });
        var id = await Add(fleet, ios, "d01");
        var secret = await Secret(fleet, Imitations.Secret());
        var run = await fleet.StartRun(Rotation(secret, "apply", "ios-d01"));
        await Eventually.Holds(() => ios.Journal("d01").Any(IsRotation), "the line", fleet.Report);

        fleet.Process("worker").Kill();
        (await Shown(fleet, id)).ShouldBe((false, true));
        await Eventually.Holds(
            () => ios.Journal("d01")[^1].StartsWith("close", StringComparison.Ordinal), "the session to end", fleet.Report);
        ios.Trouble(new { });
        var before = ios.Logins("d01").Count;
        await fleet.StartWorker("other");
        await fleet.Ended(run);

        (await fleet.Outcomes(run)).ShouldBe("ios-d01:ok(verified)", fleet.Report());
        var logins = ios.Logins("d01", before);
        logins.Take(2).ShouldBe(["refused", "in"]);
        logins.Skip(2).ShouldAllBe(login => login == "in");
        (await Shown(fleet, id)).ShouldBe((true, false));
        ios.Journal("d01").Count(IsRotation).ShouldBe(1);
    }

    /// <summary>With a credential for these devices, and the right to rotate.</summary>
    private async Task<ServiceFleet> Start(params Imitations[] makes)
    {
        var fleet = await ServiceFleet.Start(
            postgres, 1, reach: [.. makes.SelectMany(make => new[] { "d01", "d02", "d03" }.Where(make.Has)
                .Select(device => $"{make.Address(device)}/32 {make.Port}"))]);
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "password-rotation", kind = "pay_per_use" }, null, 201);
        return fleet;
    }

    private static async Task<string> Credential(ServiceFleet fleet, string name, string password) =>
        (await fleet.Client.Call("POST", "/v1/credentials", new { name, kind = "password", username = Imitations.Username, password }))
            .Must(HttpStatusCode.Created).Id;

    private static async Task<string> Secret(ServiceFleet fleet, string text, string name = "next") => (await fleet.Client.Call(
        "POST", "/v1/credentials", new { name, kind = "secret", password = text })).Must(HttpStatusCode.Created).Id;

    private async Task<string> Add(ServiceFleet fleet, Imitations make, string device)
    {
        var name = $"{make.Platform}-{device}";
        (_ids[name], _ids[$"login of {name}"]) = await fleet.Add(make, device);
        return _ids[name];
    }

    private JsonObject Rotation(string secret, string mode, params string[] devices) => new()
    {
        ["block"] = "password-rotation", ["mode"] = mode,
        ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray([.. devices.Select(name => (JsonNode)_ids[name])]) },
        ["input"] = new JsonObject
        {
            ["username"] = Imitations.Username, ["password"] = new JsonObject { ["credentialId"] = secret },
        },
    };

    private static async Task<string> Run(ServiceFleet fleet, JsonObject body)
    {
        var run = await fleet.StartRun(body);
        await fleet.Ended(run);
        return run;
    }

    private static bool IsRotation(string happening) =>
        happening.StartsWith($"line username {Imitations.Username} secret 0 ", StringComparison.Ordinal);

    /// <summary>Whether the device has a password of its own, and whether one is pending.</summary>
    private static async Task<(bool Rotated, bool Pending)> Shown(ServiceFleet fleet, string device)
    {
        var shown = await RunFixture.Get(fleet.Client, $"/v1/devices/{device}");
        return (shown["passwordRotatedAt"] is not null, shown["passwordPendingSince"] is not null);
    }

    /// <summary>The code of a test of the device; reachable where it has none.</summary>
    private static async Task<string> Test(ServiceFleet fleet, string device)
    {
        var answer = (await fleet.Client.Call("POST", $"/v1/devices/{device}:test")).Must(HttpStatusCode.OK);
        return JsonNode.Parse(answer.Text)!["code"] is { } code ? $"{code}" : "reachable";
    }

    /// <summary>How many passwords of devices a tenant can reach.</summary>
    private static async Task<long> Passwords(ServiceFleet fleet, TenantId tenant)
    {
        await using var scope = fleet.Host.Services.CreateAsyncScope();
        return (await scope.ServiceProvider.GetRequiredService<NetAutomationDb>().QueryAs<long>(
            tenant, $"select count(*) as \"Value\" from inventory.device_password", CancellationToken.None))[0];
    }
}
