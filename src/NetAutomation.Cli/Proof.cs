using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using NetAutomation.Content;

namespace NetAutomation.Cli;

/// <summary>What a block is proven by on one platform: <c>proofs/PLATFORM.yaml</c>. docs/blocks.md explains each member.</summary>
internal sealed record Proof(
    JsonElement Input = default,
    Refusal? Refused = null,
    string? Before = null,
    Dictionary<string, string>? Secrets = null,
    string? Change = null,
    Sight[]? Shows = null,
    JsonElement? Result = null,
    string? Fault = null,
    string? Since = null)
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private Dictionary<CredentialId, string> Texts { get; } = [];

    /// <summary>The lines that go and come, in their order.</summary>
    public IReadOnlyList<string> Lines => Change is null ? [] : Change.TrimEnd('\n').Split('\n');

    public static string PathOf(string platform) => $"proofs/{platform}.yaml";

    /// <summary>Null where the block has none for this platform.</summary>
    /// <exception cref="ContentException">It cannot be read.</exception>
    public static Proof? Read(Block block, string platform)
    {
        var path = PathOf(platform);
        return block.Content.Files.Any(file => file.Path == path)
            ? ContentManifest.Read<Proof>(block.Content, path, _json, proof => proof.Faults(block)) : null;
    }

    /// <summary>An input with credentials in place of the names of secrets.</summary>
    public JsonElement Named(JsonElement input)
    {
        var credentials = (Secrets ?? []).ToDictionary(secret => secret.Key, _ => CredentialId.New(), StringComparer.Ordinal);
        foreach (var (name, text) in Secrets ?? [])
        {
            Texts[credentials[name]] = text;
        }

        return JsonSerializer.SerializeToElement(Named(JsonNode.Parse(input.GetRawText()), credentials));
    }

    /// <summary>The text of a secret that stands in the input.</summary>
    public string? Secret(CredentialId credential) => Texts.GetValueOrDefault(credential);

    private static JsonNode? Named(JsonNode? value, Dictionary<string, CredentialId> credentials) => value switch
    {
        JsonObject { Count: 1 } secret when secret["credentialId"] is JsonValue name && name.TryGetValue<string>(out var text)
            && credentials.TryGetValue(text, out var id) => new JsonObject { ["credentialId"] = $"{id}" },
        JsonObject members => new JsonObject(
            members.Select(member => KeyValuePair.Create(member.Key, Named(member.Value?.DeepClone(), credentials)))),
        JsonArray items => new JsonArray([.. items.Select(item => Named(item?.DeepClone(), credentials))]),
        _ => value,
    };

    private IEnumerable<(string Pointer, string Reason)> Faults(Block block)
    {
        var configures = block.Configures;
        if (Input.ValueKind != JsonValueKind.Object)
        {
            yield return ("/input", "an object, the input that is applied");
        }

        if (Refused is null)
        {
            yield return ("/refused", "an input that is refused, and the pointer at which");
        }

        if (configures != (Change is not null))
        {
            yield return ("/change", "the lines that go and come; a block that reads or saves has none");
        }

        if (!configures && Result is null)
        {
            yield return ("/result", "a block that reads or saves has members of the result here");
        }

        if (block.Restores != (Since is not null))
        {
            yield return ("/since", "what is typed after the configuration that is restored; no other block has it");
        }

        if (Lines.Any(line => line is not ['+' or '-', ..]))
        {
            yield return ("/change", "lines that begin with + or -");
        }

        if (Shows is { } shows && shows.Any(sight => !ContentManifest.IsPattern(sight.Pattern)))
        {
            yield return ("/shows", "regular expressions");
        }

        if (Fault is { } fault && !ContentManifest.IsPattern(fault))
        {
            yield return ("/fault", "a regular expression");
        }
    }
}

/// <summary>An input that is refused before anything is priced.</summary>
/// <param name="At">The JSON pointer of what is refused, in the input.</param>
internal sealed record Refusal(JsonElement Input, string At);

/// <summary>A command on the device whose answer shows the effect.</summary>
internal sealed record Sight(string Command, string Pattern)
{
    public bool In(string answer) => Regex.IsMatch(answer, Pattern, RegexOptions.Multiline, TimeSpan.FromSeconds(5));
}
