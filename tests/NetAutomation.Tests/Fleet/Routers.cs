using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>One line of a router's journal.</summary>
/// <param name="At">Unix time.</param>
/// <param name="Kind">open, close, line or save.</param>
internal sealed record JournalEntry(
    [property: JsonPropertyName("t")] double At, [property: JsonPropertyName("s")] int Session,
    [property: JsonPropertyName("e")] string Kind,
    [property: JsonPropertyName("text")] string? Text)
{
    [JsonIgnore]
    public string Device { get; init; } = "";
}

/// <summary>The imitation routers of tests/faults/fleet.py: d01, d02, … at 127.66.0.1, 127.66.0.2, …, behind real ssh.</summary>
internal sealed class Routers : IDisposable
{
    public const string Username = "netops";
    private readonly string _folder;
    private readonly ServiceProcess _process;

    private Routers(string folder, ServiceProcess process, int port, string password) =>
        (_folder, _process, Port, Password) = (folder, process, port, password);

    public int Port { get; }

    public string Password { get; }

    /// <param name="answers">Further commands and the routers' answers.</param>
    public static async Task<Routers> Start(string folder, int count, IReadOnlyDictionary<string, string>? answers = null)
    {
        Directory.CreateDirectory(folder);
        var (password, login, port) =
            (Convert.ToHexString(RandomNumberGenerator.GetBytes(12)), Path.Combine(folder, "login.json"), Ports.Free());
        await File.WriteAllTextAsync(login, JsonSerializer.Serialize(new { username = Username, password }));
        await File.WriteAllTextAsync(
            Path.Combine(folder, "answers.json"), JsonSerializer.Serialize(answers ?? new Dictionary<string, string>()));
        var process = new ServiceProcess(
            "/usr/bin/python3",
            [$"{PostgresServer.RepositoryRoot()}/tests/faults/fleet.py", "--port", $"{port}", "--devices", $"{count}", "--login", login,
                "--state", folder, "--journal", folder,
                "--answers", $"{folder}/answers.json"]);
        var routers = new Routers(folder, process, port, password);
        await Eventually.Holds(
            () => process.Output.Contains("ready", StringComparison.Ordinal), "the routers", () => process.Output);
        return routers;
    }

    public static string Name(int number) => $"d{number:00}";

    public static string Address(int number) => $"127.66.0.{number}";

    public string HostKey(int number)
    {
        var blob = Convert.FromBase64String(File.ReadAllText(Path.Combine(_folder, $"{Name(number)}.key.pub")).Split(' ')[1]);
        return $"SHA256:{Convert.ToBase64String(SHA256.HashData(blob)).TrimEnd('=')}";
    }

    /// <summary>
    /// Seconds that routers take from the next login on: "d01" for one configuration line, "d01 show" to show the configuration.
    /// A router that is not named any more takes no longer.
    /// </summary>
    public void Slow(params (string What, double Seconds)[] pauses)
    {
        var draft = Path.Combine(_folder, "slow.draft");
        File.WriteAllText(draft, JsonSerializer.Serialize(pauses.ToDictionary(pause => pause.What, pause => pause.Seconds)));
        File.Move(draft, Path.Combine(_folder, "slow.json"), overwrite: true);
    }

    /// <summary>Everything that happened on the routers, in order of time.</summary>
    public IReadOnlyList<JournalEntry> Journal() =>
        [.. Directory.GetFiles(_folder, "*.jsonl").SelectMany(ReadLines).OrderBy(happening => happening.At)];

    /// <summary>Sessions that are open now.</summary>
    public IReadOnlyList<int> Sessions() =>
        [.. Journal().GroupBy(h => h.Session).Where(s => s.All(h => h.Kind != "close")).Select(s => s.Key)];

    public void Dispose() => _process.Dispose();

    private static IEnumerable<JournalEntry> ReadLines(string file)
    {
        using var stream = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var text = stream.ReadToEnd();
        // The last line may be incomplete.
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<JournalEntry>(line)! with { Device = Path.GetFileNameWithoutExtension(file) })
            .ToList();
    }
}
