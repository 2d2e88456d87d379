using System.Text.Json.Nodes;

namespace NetAutomation.Deployment;

/// <summary>A resource of one of the templates.</summary>
/// <param name="Stack">The concern: network, data, edge, events, services, watch.</param>
internal sealed record Resource(string Stack, string Id, JsonObject Whole)
{
    public string Type => Whole[nameof(Type)]!.GetValue<string>();

    public JsonObject Properties
    {
        get
        {
            if (Whole[nameof(Properties)] is not JsonObject properties)
            {
                Whole[nameof(Properties)] = properties = [];
            }

            return properties;
        }
    }

    public override string ToString() => $"{Stack}/{Id}";
}

/// <summary>The templates of one cell by their concern.</summary>
internal sealed class Templates
{
    public required IReadOnlyDictionary<string, JsonObject> Stacks { get; init; }

    public static Templates Read(string directory, string cell) => new()
    {
        Stacks = Directory.EnumerateFiles(directory, $"netautomation-{cell}-*.template.json").Order(StringComparer.Ordinal).ToDictionary(
            file => Path.GetFileName(file)[$"netautomation-{cell}-".Length..^".template.json".Length],
            file => JsonNode.Parse(File.ReadAllText(file))!.AsObject()),
    };

    public Templates Copy() => new() { Stacks = Stacks.ToDictionary(stack => stack.Key, stack => stack.Value.DeepClone().AsObject()) };

    public IEnumerable<Resource> All() => Stacks.SelectMany(stack => stack.Value["Resources"]!.AsObject()
        .Select(resource => new Resource(stack.Key, resource.Key, resource.Value!.AsObject())));

    public IEnumerable<Resource> Of(params string[] types) =>
        All().Where(resource => types.Contains(resource.Type, StringComparer.Ordinal));

    /// <summary>The only resource of this type whose logical id begins so.</summary>
    public Resource One(string type, string id = "") => Of(type).Single(resource => resource.Id.StartsWith(id, StringComparison.Ordinal));

    /// <summary>The resource that a value names: by Ref, by Fn::GetAtt, or by the export of another stack. Null for everything
    /// else.</summary>
    public Resource? Named(Resource from, JsonNode? value) => Named(from.Stack, value);

    public JsonObject? Parameter(string stack, JsonNode? value) =>
        value is JsonObject { Count: 1 } reference && reference["Ref"]?.GetValue<string>() is { } name
            ? Stacks[stack]["Parameters"]?[name]?.AsObject() : null;

    /// <summary>Every statement of every policy, of roles and resources alike.</summary>
    public IEnumerable<(Resource Resource, JsonObject Statement)> Statements() =>
        All().SelectMany(resource => Below(resource.Properties).OfType<JsonObject>()
            .Where(node => node["Effect"] is not null && node["Action"] is not null).Select(statement => (resource, statement)));

    public static IEnumerable<JsonNode> Below(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Below(member.Value)).Prepend(node),
        JsonArray items => items.SelectMany(Below).Prepend(node),
        null => [],
        _ => [node],
    };

    public static IReadOnlyList<string> Strings(JsonNode? node) =>
        [.. Below(node).OfType<JsonValue>().Select(value => value.TryGetValue<string>(out var text) ? text : value.ToJsonString())];

    private Resource? Named(string stack, JsonNode? value)
    {
        if (value is not JsonObject { Count: 1 } reference)
        {
            return null;
        }

        if (reference["Fn::ImportValue"]?.GetValue<string>() is { } export)
        {
            foreach (var (name, template) in Stacks)
            {
                foreach (var (_, output) in template["Outputs"]?.AsObject() ?? [])
                {
                    if (output!["Export"]?["Name"]?.GetValue<string>() == export)
                    {
                        return Named(name, output["Value"]);
                    }
                }
            }

            return null;
        }

        var id = reference["Ref"]?.GetValue<string>() ?? reference["Fn::GetAtt"]?[0]?.GetValue<string>();
        return id is not null && Stacks[stack]["Resources"]![id] is JsonObject whole ? new Resource(stack, id, whole) : null;
    }
}
