using System.Globalization;
using NetAutomation.Inventory.Model;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>One row, numbered by the line of the file it starts on; the header is row 1. Empty cells are left out.</summary>
internal sealed class ImportRow(int number, Dictionary<string, string> cells)
{
    public static readonly string[] Columns =
    [
        "name", "site", "address", "port", "platform", "credential", "hostKeySha256", "labels", "enabled", "connectSeconds",
        "commandSeconds", "prompt", "firstQuestion", "firstAnswer", "shell",
    ];

    public int Number { get; } = number;

    public string At { get; } = $"/rows/{number}";

    public string Name { get; } = cells.GetValueOrDefault("name", "");

    public List<ProblemError> Faults { get; } = [];

    public DeviceFacts Over(DeviceFacts? known, Dictionary<string, SiteId> sites, Dictionary<string, CredentialId> credentials) => new()
    {
        Name = Name,
        SiteId = Named("site", sites, known?.SiteId),
        Address = cells.GetValueOrDefault("address") ?? known?.Address ?? "",
        Port = Integer("port") ?? known?.Port ?? 22,
        Platform = cells.GetValueOrDefault("platform") ?? known?.Platform ?? Missing("platform"),
        CredentialId = Named("credential", credentials, known?.CredentialId),
        HostKeySha256 = cells.GetValueOrDefault("hostKeySha256") ?? known?.HostKeySha256,
        Labels = LabelCells() ?? known?.Labels ?? [],
        Enabled = Truth("enabled") ?? known?.Enabled ?? true,
        ConnectionOptions = Options(known?.ConnectionOptions ?? new()),
    };

    private ConnectionOptions Options(ConnectionOptions known) => new(
        Integer("connectSeconds") ?? known.ConnectSeconds, Integer("commandSeconds") ?? known.CommandSeconds,
        cells.GetValueOrDefault("prompt") ?? known.Prompt, cells.GetValueOrDefault("firstQuestion") ?? known.FirstQuestion,
        cells.GetValueOrDefault("firstAnswer") ?? known.FirstAnswer,
        Truth("shell") ?? known.Shell);

    private bool? Truth(string column) => Read<bool>(column, text => bool.TryParse(text, out var value) ? value : null);

    private int? Integer(string column) => Read<int>(
        column, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null);

    private Id<TKind> Named<TKind>(string column, Dictionary<string, Id<TKind>> ids, Id<TKind>? known)
        where TKind : IIdKind
    {
        if (cells.TryGetValue(column, out var name) ? ids.TryGetValue(name, out var id) : (id = known ?? default) != default)
        {
            return id;
        }

        if (name is null)
        {
            Missing(column);
        }
        else
        {
            Fault(column, $"unknown_{column}", $"there is no {column} '{name}'");
        }

        return default;
    }

    private T? Read<T>(string column, Func<string, T?> read)
        where T : struct
    {
        if (!cells.TryGetValue(column, out var text))
        {
            return null;
        }

        var value = read(text);
        if (value is null)
        {
            Fault(column, "type", "cannot be read");
        }

        return value;
    }

    private Dictionary<string, string>? LabelCells()
    {
        if (!cells.TryGetValue("labels", out var text))
        {
            return null;
        }

        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (pair.Split('=') is not [var key, var value] || !labels.TryAdd(key, value))
            {
                Fault("labels", "labels", "key=value;key=value, each key once");
                break;
            }
        }

        return labels;
    }

    private string Missing(string column)
    {
        Fault(column, "required", "needed for a new device");
        return "";
    }

    private void Fault(string column, string code, string detail) =>
        Faults.Add(new ProblemError($"{At}/{column}", code, $"Row {Number}: {detail}."));
}
