using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>Checks a customer's input against the block's schema, and refuses text that must not reach Ansible.</summary>
internal static class BlockInput
{
    private const int Largest = 256 * 1024;
    private static readonly ConcurrentDictionary<string, InputSchema> _compiled = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<(string Digest, string Platform), IReadOnlyList<Lack>> _lacks = new();
    private static readonly TimeSpan _longestMatch = TimeSpan.FromSeconds(1);
    private static readonly string[] _templates = ["{{", "{%", "{#"];

    /// <summary>Every fault, each with its JSON pointer below <c>/input</c>; empty where the input may run.</summary>
    public static IReadOnlyList<ProblemError> Validate(BlockVersion version, JsonElement input)
    {
        if (input.ValueKind != JsonValueKind.Object)
        {
            return [new ProblemError("/input", "type", "The input is an object.")];
        }

        var text = input.GetRawText();
        if (text.Length > Largest)
        {
            return [new ProblemError("/input", "too_large", $"The input is at most {Largest} characters.")];
        }

        var faults = new List<ProblemError>();
        CheckText(input, "/input", faults);
        if (faults.Count == 0)
        {
            faults.AddRange(SchemaOf(version).Faults(CanonicalJson.Normal(input)));
        }

        return [.. faults.DistinctBy(fault => (fault.Pointer, fault.Code))];
    }

    /// <summary>The credentials that a valid input names as secrets, each once.</summary>
    public static IReadOnlyList<CredentialId> Secrets(BlockVersion version, JsonElement input) =>
        [.. SchemaOf(version).Formatted(input).Where(each => each.Format == Formats.Secret)
            .Select(each => Formats.Credential(each.Value)!.Value).Distinct()];

    /// <summary>The configuration that the block gives its device by a valid input; null where it makes the change itself.</summary>
    public static ConfigId? Restored(BlockVersion version, JsonElement input) =>
        Formats.Restores(SchemaOf(version).Text) ? ConfigId.Parse(input.GetProperty(Formats.Restored).GetString()!) : null;

    /// <summary>Whether the block works on the platform by tasks of its own, not by lines that the engine types.</summary>
    public static bool HasTasks(BlockVersion version, string platform) =>
        Part(version, platform) is not JsonObject part || part.ContainsKey("tasks");

    /// <summary>The members of an input that are a login which the block gives the device, user and password; null where none is.</summary>
    public static string[]? Login(BlockVersion version) =>
        SchemaOf(version).Text.TryGetProperty(Relations.Login, out var members) ? Relations.Members(members) : null;

    /// <summary>A valid input with something else in place of each secret.</summary>
    public static JsonElement WithSecrets(BlockVersion version, JsonElement input, Func<CredentialId, JsonNode?> secret) =>
        SchemaOf(version).WithSecrets(input, secret);

    /// <summary>The hash of a valid input, which covers the versions of its secrets.</summary>
    public static string Hash(BlockVersion version, JsonElement input, IReadOnlyDictionary<CredentialId, int> secrets) =>
        CanonicalJson.Hash(secrets.Count == 0 ? input : WithSecrets(
            version, input, id => new JsonObject { ["credentialId"] = $"{id}", ["version"] = secrets[id] }));

    /// <summary>
    /// Every part of a valid input that cannot be put on these platforms: what the block cannot do on one of them, text that a command line
    /// would act on, and secrets that are not there.
    /// </summary>
    /// <param name="secret">The text of a credential; null where it is none of a secret.</param>
    public static IReadOnlyList<ProblemError> Unusable(
        BlockVersion version, JsonElement input, Func<CredentialId, string?> secret, IReadOnlyCollection<PlatformVersion> platforms)
    {
        List<ProblemError> faults =
        [
            .. from platform in platforms
               let lacks = LacksOf(version, platform.Name)
               from place in lacks.Count == 0 ? [] : SchemaOf(version).Places(input)
               from lack in lacks
               where lack.Holds(place)
               select new ProblemError(place.Pointer, "not_on_platform", $"{platform.Name} cannot do this: {lack.Because}."),
        ];
        foreach (var (pointer, format, value) in SchemaOf(version).Formatted(input))
        {
            if (format != Formats.Secret)
            {
                faults.AddRange(Reserved(pointer, format, value.ToString(), platforms));
            }
            else if (secret(Formats.Credential(value)!.Value) is { } text)
            {
                CheckString(text, pointer, faults);
                faults.AddRange(Reserved(pointer, format, text, platforms));
            }
            else
            {
                faults.Add(new ProblemError(
                    $"{pointer}/credentialId", "unknown_credential", "There is no such credential of the kind secret."));
            }
        }

        return faults;
    }

    private static InputSchema SchemaOf(BlockVersion version) =>
        _compiled.GetOrAdd(version.Digest, _ => InputSchema.Read(version.InputSchema));

    private static IReadOnlyList<Lack> LacksOf(BlockVersion version, string platform) =>
        _lacks.GetOrAdd((version.Digest, platform), _ => Lack.Read(Part(version, platform)));

    private static JsonNode? Part(BlockVersion version, string platform)
    {
        var path = Path.Combine(version.Directory, "platforms", $"{platform}.yml");
        return StrictYaml.Read(path, File.ReadAllText(path)).Root;
    }

    private static IEnumerable<ProblemError> Reserved(
        string pointer, string format, string text, IReadOnlyCollection<PlatformVersion> platforms) =>
        from platform in platforms
        let found = platform.Reserved.TryGetProperty(format, out var pattern)
            ? Regex.Match(text, pattern.GetString()!, PlatformVersion.ReservedPattern, _longestMatch) : Match.Empty
        where found.Success
        select new ProblemError(pointer, "reserved", format == Formats.Secret
            ? $"The command line of {platform.Name} does not take this secret as it is."
            : $"The command line of {platform.Name} takes \"{found.Value}\" for itself.");

    /// <summary>
    /// Finds strings that a template engine or a terminal would act on. Every string is later marked unsafe for Jinja, but that mark has
    /// been bypassed before (CVE-2023-5764, CVE-2024-11079). Control characters include the line feed, which .NET's <c>$</c> lets pass.
    /// </summary>
    private static void CheckText(JsonElement value, string at, List<ProblemError> faults)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var names = new HashSet<string>(StringComparer.Ordinal);
                foreach (var member in value.EnumerateObject())
                {
                    if (Text(() => member.Name) is not { } name)
                    {
                        faults.Add(new ProblemError(at, "control_character", "A member's name is not Unicode text."));
                        continue;
                    }

                    var pointer = $"{at}/{JsonPointer.Escape(name)}";
                    if (!names.Add(name))
                    {
                        faults.Add(new ProblemError(pointer, "duplicate", "The member is given twice."));
                    }

                    CheckString(name, pointer, faults);
                    CheckText(member.Value, pointer, faults);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                {
                    CheckText(item, $"{at}/{index++}", faults);
                }

                break;
            case JsonValueKind.String:
                CheckString(Text(value.GetString) ?? "\0", at, faults);
                break;
            case JsonValueKind.Number:
                if (!IsNumber(value, value.GetRawText()))
                {
                    faults.Add(new ProblemError(at, "out_of_range", "The number is too large or has too many digits."));
                }

                break;
        }
    }

    /// <summary>Null where the JSON text holds half of a surrogate pair.</summary>
    private static string? Text(Func<string?> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>
    /// Integers have 64 bits. The validator writes every number out, and its stack would not hold the digits of 1e-999999999.
    /// </summary>
    private static bool IsNumber(JsonElement value, string text)
    {
        var exponent = text.AsSpan(text.AsSpan().IndexOfAny('e', 'E') + 1);
        return text.Length <= 64
            && (exponent.Length == text.Length
                || (int.TryParse(exponent, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var power)
                    && Math.Abs((long)power) < 400))
            && (text.AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? value.TryGetInt64(out _) : double.IsFinite(value.GetDouble()));
    }

    private static void CheckString(string text, string at, List<ProblemError> faults)
    {
        if (_templates.Any(mark => text.Contains(mark, StringComparison.Ordinal)))
        {
            faults.Add(new ProblemError(at, "template", "Template marks ({{, {%, {#) are refused."));
        }

        if (!ShownText.IsShown(text))
        {
            faults.Add(new ProblemError(at, "control_character", "Control and invisible characters are refused."));
        }
    }
}
