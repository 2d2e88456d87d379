using System.Text.Json;
using System.Text.RegularExpressions;

namespace NetAutomation.Catalog.Publish;

/// <summary>
/// What a schema of inputs or results may say. The validator ignores keywords it does not know, so a keyword it does not honour would be a
/// promise nobody keeps: everything outside this list is refused when the block is published.
/// </summary>
internal sealed partial class InputSchemaRules
{
    private static readonly HashSet<string> _annotations = new(StringComparer.Ordinal) { "title", "description", "default", "examples" };

    private static readonly HashSet<string> _keywords = new(StringComparer.Ordinal)
    {
        "type", "enum", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "uniqueItems",
        "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    };

    private static readonly HashSet<string> _types =
        new(StringComparer.Ordinal) { "object", "array", "string", "integer", "number", "boolean", "null" };
    private static readonly HashSet<string> _formats = new(StringComparer.Ordinal) { "ipv4", "ipv6", "hostname", "date-time" };

    // https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html
    private static readonly HashSet<string> _magic = new(StringComparer.OrdinalIgnoreCase)
    {
        "ansible", "become", "block_artifacts", "block_input", "block_result", "connection", "delegate_to", "environment", "group_names",
        "groups", "hostvars", "inventory_dir", "inventory_file",
        "inventory_hostname", "inventory_hostname_short", "lookup", "omit", "play_hosts", "playbook_dir", "query", "remote_user",
        "role_name", "role_names", "role_path", "vars",
    };

    private readonly List<(string Pointer, string Reason)> _faults = [];

    /// <summary>Every reason to refuse the schema, each with the place; empty where it may be published.</summary>
    public static IReadOnlyList<(string Pointer, string Reason)> Faults(JsonElement schema, string at)
    {
        var rules = new InputSchemaRules();
        rules.Check(schema, at);
        if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("type", out var type)
            || type.ValueKind != JsonValueKind.String || type.GetString() != "object")
        {
            rules._faults.Add((at, "it describes an object"));
        }

        return rules._faults;
    }

    private void Check(JsonElement schema, string at)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            _faults.Add((at, "a schema is an object"));
            return;
        }

        foreach (var keyword in schema.EnumerateObject().Where(member => !_annotations.Contains(member.Name)))
        {
            Check(keyword.Name, keyword.Value, $"{at}/{keyword.Name}");
        }

        var types = Types(schema);
        if (types.Count == 0)
        {
            _faults.Add((at, "a type is needed"));
        }

        if (types.Contains("object")
            && !(schema.TryGetProperty("additionalProperties", out var more) && more.ValueKind == JsonValueKind.False))
        {
            _faults.Add((at, "an object needs additionalProperties: false"));
        }

        if (types.Contains("array") && !schema.TryGetProperty("items", out _))
        {
            _faults.Add((at, "an array needs items"));
        }
    }

    private void Check(string keyword, JsonElement value, string at)
    {
        if (!_keywords.Contains(keyword))
        {
            _faults.Add((at, "the keyword is not supported"));
            return;
        }

        switch (keyword)
        {
            case "properties" when value.ValueKind == JsonValueKind.Object:
                foreach (var property in value.EnumerateObject())
                {
                    CheckName(property.Name, at);
                    Check(property.Value, $"{at}/{property.Name}");
                }

                break;
            case "items":
                Check(value, at);
                break;
            case "type":
                Require(value.ValueKind == JsonValueKind.String || NonEmpty(value), at, "a type or a list of types");
                Require(Names(value).All(_types.Contains), at, "a JSON Schema type");
                break;
            case "enum":
                Require(
                    NonEmpty(value)
                        && value.EnumerateArray().All(item => item.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array)), at,
                        "a list of plain values");
                break;
            case "required":
                Require(
                    value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String),
                    at, "a list of names");
                break;
            case "format":
                Require(
                    value.ValueKind == JsonValueKind.String && _formats.Contains(value.GetString()!), at,
                    $"one of {string.Join(", ", _formats)}");
                break;
            case "pattern":
                Require(
                    value.ValueKind == JsonValueKind.String && IsPattern(value.GetString()!), at,
                    "an anchored pattern (^…$) without \\d, \\w, \\s, which match more than ASCII");
                break;
            case "additionalProperties":
                Require(value.ValueKind == JsonValueKind.False, at, "false");
                break;
            case "uniqueItems":
                Require(value.ValueKind is JsonValueKind.True or JsonValueKind.False, at, "a boolean");
                break;
            case "minItems" or "maxItems" or "minLength" or "maxLength":
                Require(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0, at, "a count");
                break;
            default:
                Require(
                    keyword != "properties" && value.ValueKind == JsonValueKind.Number, at,
                    keyword == "properties" ? "an object" : "a number");
                break;
        }
    }

    private void CheckName(string name, string at)
    {
        if (!PropertyName().IsMatch(name))
        {
            _faults.Add(($"{at}/{name}", "a property name is letters, digits and _, at most 64"));
        }
        else if (name.StartsWith("ansible_", StringComparison.OrdinalIgnoreCase) || _magic.Contains(name))
        {
            _faults.Add(($"{at}/{name}", "the name means something to Ansible"));
        }
    }

    private void Require(bool holds, string at, string what)
    {
        if (!holds)
        {
            _faults.Add(($"{at}", $"must be {what}"));
        }
    }

    private static List<string> Types(JsonElement schema) => schema.TryGetProperty("type", out var type) ? Names(type) : [];

    private static List<string> Names(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Array => [.. value.EnumerateArray().Select(item => item.ToString())],
        _ => [],
    };

    private static bool NonEmpty(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0;

    private static bool IsPattern(string pattern)
    {
        if (!pattern.StartsWith('^') || !pattern.EndsWith('$') || Wide().IsMatch(pattern))
        {
            return false;
        }

        try
        {
            _ = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_]{0,63}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PropertyName();

    [GeneratedRegex(@"(?<!\\)(\\\\)*\\[dDwWsSpP]", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Wide();
}
