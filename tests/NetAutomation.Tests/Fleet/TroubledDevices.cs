using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>The imitation routers of tests/devices/troubled.py, each with one trouble that real devices give.</summary>
internal sealed class TroubledDevices : IDisposable
{
    public const string Username = "netops";
    private ServiceProcess? _process;

    public int Port { get; } = Ports.Free();

    public string Password { get; } = Secret();

    public string EnablePassword { get; } = Secret();

    public string Token { get; } = Secret();

    /// <summary>Opens each of <see cref="Keys"/>.</summary>
    public string Passphrase { get; } = Secret();

    /// <summary>Private keys by kind and form.</summary>
    public IReadOnlyDictionary<string, string> Keys { get; private set; } = new Dictionary<string, string>();

    /// <summary>Whether anybody has tried to log in to this device.</summary>
    public bool WasTried(string name) => _process!.Output.Contains($"a login at {name}\n", StringComparison.Ordinal);

    /// <summary>In the order of the program.</summary>
    public IReadOnlyList<TroubledDevice> All { get; private set; } = [];

    public static async Task<TroubledDevices> Start(string folder)
    {
        Directory.CreateDirectory(folder);
        var (login, devices) = (Path.Combine(folder, "login.json"), new TroubledDevices());
        await File.WriteAllTextAsync(
            login,
            JsonSerializer.Serialize(
                new
                {
                    username = Username, password = devices.Password, enable = devices.EnablePassword, token = devices.Token,
                    passphrase = devices.Passphrase,
                }));
        var process = devices._process = new ServiceProcess(
            "/usr/bin/python3",
            [$"{PostgresServer.RepositoryRoot()}/tests/devices/troubled.py", "--port", $"{devices.Port}", "--login", login,
                "--state", folder]);
        try
        {
            await Eventually.Holds(
                () => process.IsOver
                    ? throw new InvalidOperationException(process.Output) : process.Output.Contains("ready", StringComparison.Ordinal),
                "the devices", () => process.Output);
        }
        catch
        {
            devices.Dispose();
            throw;
        }

        var state = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "devices.json")))!;
        devices.Keys = state["keys"].Deserialize<Dictionary<string, string>>()!;
        devices.All =
        [
            .. state["devices"]!.AsObject().Select(each => new TroubledDevice(
                each.Key, $"{each.Value!["address"]}", Fingerprint($"{each.Value["hostKey"]}"), $"{each.Value["configuration"]}")),
        ];
        return devices;
    }

    public void Dispose() => _process?.Dispose();

    private static string Secret() => Convert.ToHexString(RandomNumberGenerator.GetBytes(8));

    private static string Fingerprint(string key) =>
        $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(key.Split(' ')[1]))).TrimEnd('=')}";
}

/// <summary>One of them.</summary>
/// <param name="Configuration">Its bytes as Latin-1.</param>
internal sealed record TroubledDevice(string Name, string Address, string HostKey, string Configuration);
