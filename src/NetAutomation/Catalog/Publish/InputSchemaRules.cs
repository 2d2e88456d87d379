using System.Text.Json;
using System.Text.RegularExpressions;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;

namespace NetAutomation.Catalog.Publish;

/// <summary>
/// The rules for a schema of inputs or results. The validator ignores a keyword that it does not know, so a schema with such a keyword
/// would promise a check that nobody makes: a block with a keyword outside this list is refused when it is published.
/// </summary>
internal sealed partial class InputSchemaRules
{
    private static readonly HashSet<string> _annotations = new(StringComparer.Ordinal) { "title", "description", "default", "examples" };

    private static readonly HashSet<string> _types =
        new(StringComparer.Ordinal) { "object", "array", "string", "integer", "number", "boolean", "null" };
    private static readonly Rule _count = new("a count", value =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0);
    private static readonly Rule _names = new(
        "a list of names", value => IsList(value) && value.GetArrayLength() > 0 && value.EnumerateArray().All(IsText));
    private static readonly Rule _number = new("a number", value => value.ValueKind == JsonValueKind.Number);

    private static readonly Dictionary<string, Rule> _keywords = new(StringComparer.Ordinal)
    {
        ["type"] = new(
            "a JSON Schema type, or a list of types", value => Names(value) is { Count: > 0 } names && names.All(_types.Contains)),
        ["enum"] = new("a list of plain values", value => IsList(value) && value.GetArrayLength() > 0
            && value.EnumerateArray().All(item => item.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array))),
        ["properties"] = new("an object", value => value.ValueKind == JsonValueKind.Object),
        ["required"] = new("a list of names", value => IsList(value) && value.EnumerateArray().All(IsText)),
        ["additionalProperties"] = new("false", value => value.ValueKind == JsonValueKind.False),
        ["items"] = new("a schema", value => value.ValueKind == JsonValueKind.Object),
        ["uniqueItems"] = new("a boolean", value => value.ValueKind is JsonValueKind.True or JsonValueKind.False),
        ["format"] = new(
            $"one of {string.Join(", ", Formats.Names)}", value => IsText(value) && Formats.Names.Contains(value.GetString()!)),
        ["pattern"] = new(
            "an anchored pattern (^…$) without \\d, \\w, \\s, which match more than ASCII, and without \\1 and (?=, which take long",
            value => IsText(value) && IsPattern(value.GetString()!)),
        ["minItems"] = _count, ["maxItems"] = _count, ["minLength"] = _count, ["maxLength"] = _count,
        ["minimum"] = _number, ["maximum"] = _number, ["exclusiveMinimum"] = _number, ["exclusiveMaximum"] = _number,
        ["multipleOf"] = _number,
        [Relations.UniqueBy] = _names, [Relations.RequiredAny] = _names, [Relations.RequiredUnlessAbsent] = _names,
        [Relations.SameFamily] = _names, [Relations.LinkLocalNeeds] = new("a name", IsText), [Relations.PrefixLengths] = _names,
        [Relations.Login] = new("the names of a user and of a secret", value => _names.Holds(value) && value.GetArrayLength() == 2),
    };

    // https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html
    private static readonly HashSet<string> _magic = new(StringComparer.OrdinalIgnoreCase)
    {
        "ansible", "become", "block_artifacts", "block_input", "block_result", "connection", "delegate_to", "environment", "group_names",
        "groups", "hostvars", "inventory_dir", "inventory_file",
        "inventory_hostname", "inventory_hostname_short", "lookup", "omit", "play_hosts", "playbook_dir", "query", "remote_user",
        "role_name", "role_names", "role_path", "vars",
    };

    private readonly List<(string Pointer, string Reason)> _faults = [];
    private bool _needsState;

    /// <summary>Every reason to refuse the schema, each with its place; empty where the schema may be published.</summary>
    public static IReadOnlyList<(string Pointer, string Reason)> Faults(JsonElement schema, string at)
    {
        var rules = new InputSchemaRules();
        rules.Check(schema, at);
        if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("type", out var type)
            || type.ValueKind != JsonValueKind.String || type.GetString() != "object")
        {
            rules._faults.Add((at, "it describes an object"));
        }
        else if (rules._needsState && !HasAbsent(schema))
        {
            rules._faults.Add((at, $"{Relations.RequiredUnlessAbsent} needs a member state that may be absent"));
        }

        return rules._faults;
    }

    /// <summary>Every reason to refuse the schema of a value that need not be an object.</summary>
    public static IReadOnlyList<(string Pointer, string Reason)> FaultsOfValue(JsonElement schema, string at)
    {
        var rules = new InputSchemaRules();
        rules.Check(schema, at);
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
            CheckKeyword(keyword.Name, keyword.Value, $"{at}/{keyword.Name}");
        }

        var types = schema.TryGetProperty("type", out var type) ? Names(type) : [];
        if (types.Count == 0)
        {
            _faults.Add((at, "a type is needed"));
        }

        CheckFormat(schema, types, at);
        CheckRelations(schema, at);
        if (types.Contains("object") && Format(schema) != Formats.Secret
            && !(schema.TryGetProperty("additionalProperties", out var more) && more.ValueKind == JsonValueKind.False))
        {
            _faults.Add((at, "an object needs additionalProperties: false"));
        }

        if (types.Contains("array") && !schema.TryGetProperty("items", out _))
        {
            _faults.Add((at, "an array needs items"));
        }
    }

    private void CheckFormat(JsonElement schema, List<string> types, string at)
    {
        if (Format(schema) is { } format && Formats.Names.Contains(format)
            && types.Exists(type => type != Formats.TypeOf(format) && type != "null"))
        {
            _faults.Add(($"{at}/format", $"{format} is for the type {Formats.TypeOf(format)}"));
        }

        if (Format(schema) == Formats.Secret && schema.TryGetProperty("properties", out _))
        {
            _faults.Add(($"{at}/properties", "a secret has no members of the block's own"));
        }
    }

    /// <summary>A check between members that are not there would never be made.</summary>
    private void CheckRelations(JsonElement schema, string at)
    {
        foreach (var keyword in schema.EnumerateObject().Where(member => Relations.Keywords.Contains(member.Name)))
        {
            _needsState |= keyword.Name == Relations.RequiredUnlessAbsent;
            var owner = keyword.Name != Relations.UniqueBy ? schema : schema.TryGetProperty("items", out var items) ? items : default;
            var withFamily = keyword.Name switch { Relations.SameFamily => int.MaxValue, Relations.PrefixLengths => 1, _ => 0 };
            if (_keywords[keyword.Name].Holds(keyword.Value)
                && !(Relations.Members(keyword.Value).Index().All(name => IsMember(owner, name.Item, name.Index < withFamily))
                    && (keyword.Name != Relations.Login || IsLogin(keyword.Value, owner, at))))
            {
                _faults.Add(($"{at}/{keyword.Name}", keyword.Name switch
                {
                    Relations.SameFamily => "names members that are addresses or prefixes",
                    Relations.PrefixLengths => "names members, a prefix first",
                    Relations.Login => "names members of the input itself, a user and a secret",
                    _ => "names members",
                }));
            }
        }
    }

    private static bool IsLogin(JsonElement names, JsonElement owner, string at) =>
        at == "/input" && Format(owner.GetProperty("properties").GetProperty(Relations.Members(names)[1])) == Formats.Secret;

    private static bool HasAbsent(JsonElement schema) =>
        schema.TryGetProperty("properties", out var members) && members.ValueKind == JsonValueKind.Object
        && members.TryGetProperty("state", out var state) && state.ValueKind == JsonValueKind.Object
        && state.TryGetProperty("enum", out var values) && Names(values).Contains("absent");

    private static bool IsMember(JsonElement owner, string name, bool hasFamily) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty("properties", out var members)
        && members.ValueKind == JsonValueKind.Object && members.TryGetProperty(name, out var member)
        && (!hasFamily || (Format(member) is { } format && Formats.HasFamily(format)));

    private static string? Format(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("format", out var format) && IsText(format)
            ? format.GetString() : null;

    private void CheckKeyword(string keyword, JsonElement value, string at)
    {
        if (!_keywords.TryGetValue(keyword, out var rule))
        {
            _faults.Add((at, "the keyword is not supported"));
        }
        else if (!rule.Holds(value))
        {
            _faults.Add((at, $"must be {rule.Wanted}"));
        }
        else if (keyword == "items")
        {
            Check(value, at);
        }
        else if (keyword == "properties")
        {
            foreach (var property in value.EnumerateObject())
            {
                CheckName(property.Name, at);
                Check(property.Value, $"{at}/{property.Name}");
            }
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

    private static List<string> Names(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Array => [.. value.EnumerateArray().Select(item => item.ToString())],
        _ => [],
    };

    private static bool IsList(JsonElement value) => value.ValueKind == JsonValueKind.Array;

    private static bool IsText(JsonElement value) => value.ValueKind == JsonValueKind.String;

    private static bool IsPattern(string pattern) =>
        pattern.StartsWith('^') && pattern.EndsWith('$') && !Wide().IsMatch(pattern)
            && ContentManifest.IsPattern(InputSchema.Matched(pattern), InputSchema.PatternOptions);

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_]{0,63}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PropertyName();

    [GeneratedRegex(@"(?<!\\)(\\\\)*\\[dDwWsSpP]", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Wide();

    /// <summary>The value that a keyword must have.</summary>
    private sealed record Rule(string Wanted, Predicate<JsonElement> Holds);
}
