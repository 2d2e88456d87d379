using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation.Faults;

/// <summary>One line of a device's journal.</summary>
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

/// <summary>Reads the devices' journals while they grow.</summary>
internal sealed class Journals(string folder)
{
    private readonly Dictionary<string, long> _read = [];
    private readonly List<JournalEntry> _all = [];

    public IReadOnlyList<JournalEntry> Read()
    {
        foreach (var file in Directory.GetFiles(folder, "*.jsonl"))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            stream.Position = _read.GetValueOrDefault(file);
            var bytes = new byte[stream.Length - stream.Position];
            stream.ReadExactly(bytes);
            // The last line may be incomplete.
            var whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
            _read[file] = stream.Position - (bytes.Length - whole);
            foreach (var line in System.Text.Encoding.UTF8.GetString(bytes, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                _all.Add(JsonSerializer.Deserialize<JournalEntry>(line)! with { Device = Path.GetFileNameWithoutExtension(file) });
            }
        }

        return [.. _all];
    }
}
