using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Devices as they are: every one is logged in to and backed up, or says what helps.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class TroubledDevicesTests(PostgresServer postgres) : IDisposable
{
    // What a customer gives for a device that needs it. All log in at once, which takes longer on a busy machine than at a customer's.
    private static readonly Dictionary<string, object> _options = new()
    {
        ["not-ascii"] = new { prompt = "^sw.{1,2}#$", connectSeconds = 90 },
        ["status-in-the-prompt"] = new { prompt = @"^sw1\* #$", connectSeconds = 90 },
        ["asks-to-change"] = new { firstQuestion = @"Change now\?", firstAnswer = "n", connectSeconds = 90 },
        ["asks-for-a-key"] = new { firstQuestion = "any key", connectSeconds = 90 },
    };

    // Those that are not backed up: the code, what the message says, and whether the test of the device tells it, too.
    private static readonly Dictionary<string, (string Code, string Remedy, bool Tested)> _refused = new()
    {
        ["pager-without-a-key"] = ("pager", "More", false),
        ["asks-something"] = ("needs_answer", "Select a context", false),
        ["expired"] = ("password_expired", "new password", false),
        ["full"] = ("too_many_sessions", "Maximum number of vty sessions", false),
        ["enable-refused"] = ("needs_answer", "privileged mode", false),
        ["dss"] = ("ssh_incompatible", "ssh-dss", true),
        ["another-key"] = ("host_key_mismatch", "another host key", true),
        ["no-second-answer"] = ("needs_answer", "Token:", true),
        ["wants-another-password"] = ("password_expired", "new password", true),
        ["key-wrong-passphrase"] = ("key_unreadable", "passphrase does not open", true),
    };

    // The test of a device pins these keys.
    private static readonly string[] _unpinned = ["aes-gcm", "kex-group1"];
    private readonly DirectoryInfo _content = Directory.CreateTempSubdirectory("na-content-");

    public void Dispose() => _content.Delete(recursive: true);

    [Fact]
    public async Task Every_troubled_device_is_tested_and_backed_up_or_says_what_helps()
    {
        NewPlatformTests.Copy($"{PostgresServer.RepositoryRoot()}/src", _content.FullName, "Platforms", "Blocks");
        WritePlatform();
        using var troubled = await TroubledDevices.Start($"{_content.FullName}/devices");
        await using var fleet = await ServiceFleet.Start(
            postgres, 1, content: _content.FullName, reach: [.. troubled.All.Select(device => $"{device.Address}/32 {troubled.Port}")]);
        await fleet.StartWorker("worker");
        await RunFixture.Post(fleet.Client, "/v1/purchases", new { block = "config-backup", kind = "pay_per_use" }, null, 201);
        var ids = await Add(fleet, troubled);

        var tests = await Tests(fleet, [.. ids.SkipWhile(device => device.Key != "kex-group1")]);
        var run = await fleet.StartRun(new JsonObject
        {
            ["block"] = "config-backup", ["mode"] = "apply", ["input"] = new JsonObject(),
            ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray([.. ids.Values.Select(id => (JsonNode)id)]) },
        });
        await fleet.Ended(run);
        var backups = await fleet.Devices(run);

        Lines(tests.Select(test => Said(test.Key, test.Value["code"], test.Value["message"]))).ShouldBe(
            Lines(tests.Select(test => _refused.TryGetValue(test.Key, out var fault) && fault.Tested ? Wanted(test.Key) : test.Key)));
        Lines(troubled.All.Select(device => Said(device.Name, backups[device.Name]["code"], backups[device.Name]["message"])))
            .ShouldBe(Lines(troubled.All.Select(device => Wanted(device.Name))), fleet.Report());
        // Not even the name of the login is told to a device with another key.
        (troubled.WasTried("aes-gcm"), troubled.WasTried("another-key")).ShouldBe((true, false));
        foreach (var device in troubled.All.Where(device => !_refused.ContainsKey(device.Name)))
        {
            var text = await fleet.Client.GetByteArrayAsync($"/v1/runs/{run}/devices/{ids[device.Name]}/artifacts/running-config.txt");
            Encoding.Latin1.GetString(text).TrimEnd().ShouldBe(device.Configuration.TrimEnd(), device.Name);
        }
    }

    private static string Lines(IEnumerable<string> lines) => string.Join('\n', lines);

    /// <summary>The device, and where it failed the code and the words that matter.</summary>
    private static string Said(string name, JsonNode? code, JsonNode? message) => code is null ? name
        : _refused.TryGetValue(name, out var fault) && $"{message}".Contains(fault.Remedy, StringComparison.OrdinalIgnoreCase)
            ? $"{name}: {code}: {fault.Remedy}" : $"{name}: {code}: {message}";

    private static string Wanted(string name) =>
        _refused.TryGetValue(name, out var fault) ? $"{name}: {fault.Code}: {fault.Remedy}" : name;

    private static async Task<Dictionary<string, string>> Add(ServiceFleet fleet, TroubledDevices troubled)
    {
        var (password, key) = (troubled.Password, troubled.Keys["ed25519-openssh"]);
        var answers = new[] { new { pattern = "^Token: ?$", answer = troubled.Token } };
        var enablePassword = troubled.EnablePassword;
        var credentials = new Dictionary<string, object>
        {
            ["enable-secret"] = new { kind = "enable", password, enablePassword },
            ["enable-local"] = new { kind = "enable", password, enablePassword },
            ["enable-free"] = new { kind = "enable", password },
            ["enable-refused"] = new { kind = "enable", password },
            ["low-hash"] = new { kind = "enable", password, enablePassword },
            ["middle-level"] = new { kind = "enable", password, enablePassword, enableLevel = 7 },
            ["two-questions"] = new { kind = "password", password, answers },
            ["two-rounds"] = new { kind = "password", password, answers },
            ["key-ed25519"] = new { kind = "ssh_key", privateKey = key, passphrase = troubled.Passphrase },
            ["key-ecdsa-pem"] = new { kind = "ssh_key", privateKey = troubled.Keys["ecdsa-pem"], passphrase = troubled.Passphrase },
            ["key-rsa-pkcs8"] = new { kind = "ssh_key", privateKey = troubled.Keys["rsa-pkcs8"], passphrase = troubled.Passphrase },
            ["key-wrong-passphrase"] = new { kind = "ssh_key", privateKey = key, passphrase = "not-the-passphrase" },
            ["key-and-enable"] = new { kind = "enable", privateKey = key, passphrase = troubled.Passphrase, enablePassword },
        };
        var plain = await Credential(fleet, "plain", new { kind = "password", password });
        var ids = new Dictionary<string, string>();
        foreach (var device in troubled.All)
        {
            var credentialId =
                credentials.TryGetValue(device.Name, out var secrets) ? await Credential(fleet, device.Name, secrets) : plain;
            ids[device.Name] = (await fleet.Client.Call("POST", "/v1/devices", new
            {
                name = device.Name, siteId = fleet.Site, address = device.Address, port = troubled.Port, platform = "acme", credentialId,
                hostKeySha256 = _unpinned.Contains(device.Name) ? null
                    : device.Name == "another-key" ? $"SHA256:{new string('A', 43)}" : device.HostKey,
                connectionOptions = _options.GetValueOrDefault(device.Name, new { connectSeconds = 90 }),
            })).Must(HttpStatusCode.Created).Id;
        }

        return ids;
    }

    private static async Task<string> Credential(ServiceFleet fleet, string name, object secrets)
    {
        var body = System.Text.Json.JsonSerializer.SerializeToNode(secrets)!.AsObject();
        (body["name"], body["username"]) = (name, TroubledDevices.Username);
        return (await fleet.Client.Call("POST", "/v1/credentials", body)).Must(HttpStatusCode.Created).Id;
    }

    private static async Task<Dictionary<string, JsonNode>> Tests(ServiceFleet fleet, IReadOnlyList<KeyValuePair<string, string>> devices)
    {
        var answers = new JsonNode[devices.Count];
        await Parallel.ForAsync(0, devices.Count, new ParallelOptions { MaxDegreeOfParallelism = 3 }, async (i, _) =>
        {
            var answer = (await fleet.Client.Call("POST", $"/v1/devices/{devices[i].Value}:test")).Must(HttpStatusCode.OK);
            answers[i] = JsonNode.Parse(answer.Text)!;
        });
        return devices.Zip(answers).ToDictionary(pair => pair.First.Key, pair => pair.Second);
    }

    private void WritePlatform()
    {
        var platform = Path.Combine(_content.FullName, "Platforms/acme");
        var block = Path.Combine(_content.FullName, "Blocks/config-backup");
        Directory.CreateDirectory(platform);
        File.WriteAllText(Path.Combine(platform, "README.md"), "# Acme\n");
        File.WriteAllText(Path.Combine(platform, "platform.yaml"), """
            name: acme
            version: 1.0.0
            title: Acme
            connection: network_cli
            networkOs: cisco.ios.ios
            port: 22
            logins: [password, ssh_key, enable]
            commands:
              running: show running-config
              version: show version
            complete: ^end$
            terminal:
              loginSeconds: 20
              commandSeconds: 20
              pager: { keys: { '^ ?--More-- ?$': ' ' } }
            grammar: { indent: 1, comment: "!", negation: "no " }
            guard: soft
            """);
        File.Copy(Path.Combine(block, "platforms/frr.yml"), Path.Combine(block, "platforms/acme.yml"));
        var manifest = Path.Combine(block, "block.yaml");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("version: 1.", "version: 1.9", StringComparison.Ordinal));
    }
}
