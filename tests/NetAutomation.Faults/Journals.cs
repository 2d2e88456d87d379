using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation.Faults;

/// <summary>One line of a device's journal.</summary>
/// <param name="At">Unix time.</param>
/// <param name="Kind">open, close, line or save, and others of devices with a guard.</param>
/// <param name="Of">The device, where several share the journal.</param>
internal sealed record JournalEntry(
    [property: JsonPropertyName("t")] double At, [property: JsonPropertyName("s")] int? Session,
    [property: JsonPropertyName("e")] string Kind,
    [property: JsonPropertyName("text")] string? Text, [property: JsonPropertyName("d")] string? Of = null)
{
    [JsonIgnore]
    public string Device { get; init; } = "";
}

/// <summary>Reads the devices' journals while they grow.</summary>
internal sealed class Journals(params string[] folders)
{
    private readonly Dictionary<string, long> _read = [];
    private readonly List<JournalEntry> _all = [];

    public IReadOnlyList<JournalEntry> Read()
    {
        ReadNew();
        return [.. _all];
    }

    /// <summary>What has come since it was read last.</summary>
    public IReadOnlyList<JournalEntry> ReadNew()
    {
        var before = _all.Count;
        foreach (var file in folders.SelectMany(folder => Directory.GetFiles(folder, "*.jsonl")))
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
                var (entry, name) = (JsonSerializer.Deserialize<JournalEntry>(line)!, Path.GetFileNameWithoutExtension(file));
                _all.Add(entry with { Device = entry.Of is null ? name : $"{name}-{entry.Of}" });
            }
        }

        return _all[before..];
    }
}
