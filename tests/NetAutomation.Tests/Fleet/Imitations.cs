using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>Imitations of a make, as tests/devices/run starts them: d01, d02, … from an address on, each with the same user.</summary>
internal sealed class Imitations : IDisposable
{
    public const string Username = "netops";
    private readonly string _folder;
    private readonly ServiceProcess _process;
    private Dictionary<string, JsonNode> _devices = [];

    private Imitations(string folder, ServiceProcess process, string platform, int port) =>
        (_folder, _process, Platform, Port) = (folder, process, platform, port);

    public string Platform { get; }

    public int Port { get; }

    /// <summary>The user's, until somebody changes it.</summary>
    public string Password { get; } = Secret();

    public static string Secret() => Convert.ToHexString(RandomNumberGenerator.GetBytes(8));

    /// <param name="minute">Seconds that a minute of their timers takes.</param>
    public static async Task<Imitations> Start(string folder, string platform, string address, int count, double minute = 60)
    {
        folder = Directory.CreateDirectory(Path.Combine(folder, platform)).FullName;
        // A login that is none of the devices' users.
        await File.WriteAllTextAsync($"{folder}/login.json", JsonSerializer.Serialize(new { username = "nobody", password = Secret() }));
        var port = Ports.Free();
        var process = new ServiceProcess(
            "/usr/bin/python3",
            [$"{PostgresServer.RepositoryRoot()}/tests/devices/run", platform, "--address", address, "--port", $"{port}",
                "--devices", $"{count}", "--minute", $"{minute}", "--login", $"{folder}/login.json", "--journal", $"{folder}/journal.jsonl",
                "--faults", $"{folder}/faults.json", "--console", $"{folder}/console"]);
        var devices = new Imitations(folder, process, platform, port);
        try
        {
            await Eventually.Holds(() => process.Output.Contains("ready", StringComparison.Ordinal), "the devices", () => process.Output);
            devices._devices = process.Output.Split('\n').Where(line => line.StartsWith('{')).Select(line => JsonNode.Parse(line)!)
                .ToDictionary(device => $"{device["device"]}");
            foreach (var device in devices._devices.Keys)
            {
                await devices.Type(device, $"username {Username} privilege 15 secret {devices.Password}");
            }
        }
        catch
        {
            devices.Dispose();
            throw;
        }

        return devices;
    }

    public bool Has(string device) => _devices.ContainsKey(device);

    public string Address(string device) => $"{_devices[device]["address"]}";

    public string HostKey(string device)
    {
        var blob = Convert.FromBase64String($"{_devices[device]["hostKey"]}".Split(' ')[1]);
        return $"SHA256:{Convert.ToBase64String(SHA256.HashData(blob)).TrimEnd('=')}";
    }

    /// <summary>Troubles of the devices (tests/devices/README.md) from their next login on.</summary>
    public void Trouble(object faults)
    {
        File.WriteAllText($"{_folder}/faults.draft", JsonSerializer.Serialize(faults));
        File.Move($"{_folder}/faults.draft", $"{_folder}/faults.json", overwrite: true);
    }

    public Task<string> Text(string device) => Ask(device, "text");

    /// <summary>Configures a device at its console.</summary>
    public Task Type(string device, string line) => Ask(device, "type", line);

    /// <summary>What happened on a device, each as the event and its text.</summary>
    public IReadOnlyList<string> Journal(string device)
    {
        using var file = new FileStream($"{_folder}/journal.jsonl", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        var text = reader.ReadToEnd();
        // The last line may be incomplete.
        return
        [
            .. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
                .Where(each => $"{each["d"]}" == device).Select(each => $"{each["e"]} {each["text"]}".TrimEnd()),
        ];
    }

    /// <summary>How the logins of a user ended on a device, after the first so many.</summary>
    public IReadOnlyList<string> Logins(string device, int after = 0, string user = Username) =>
        [.. Journal(device).Where(each => each.StartsWith($"login {user} ", StringComparison.Ordinal)).Skip(after)
            .Select(each => each[$"login {user} ".Length..])];

    public void Dispose() => _process.Dispose();

    private async Task<string> Ask(string device, string verb, string? given = null)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{_folder}/console"));
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new { device, verb, given }).Append((byte)'\n').ToArray());
        using var reader = new StreamReader(stream);
        var answer = JsonNode.Parse(await reader.ReadToEndAsync())!;
        answer["fault"].ShouldBeNull();
        return $"{answer["text"]}";
    }
}
