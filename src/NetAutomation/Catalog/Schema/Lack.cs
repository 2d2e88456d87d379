using System.Text.Json;
using System.Text.Json.Nodes;

namespace NetAutomation.Catalog.Schema;

/// <summary>A part of a block's input that one of its platforms cannot do; docs/blocks.md describes it.</summary>
/// <param name="At">JSON pointer into the input, in which * stands for each item of a list.</param>
/// <param name="Because">What the platform does not have.</param>
/// <param name="When">The values that it cannot do; null for all.</param>
internal sealed record Lack(string At, string Because, InputSchema? When)
{
    /// <summary>The member of a platform's file that lists them.</summary>
    public const string Member = "lacks";

    /// <summary>What a platform's file that may be published lists; nothing where it lists none.</summary>
    public static IReadOnlyList<Lack> Read(JsonNode? part) =>
        part is JsonObject file && file[Member] is JsonArray listed
            ? [.. listed.Select(each => new Lack(
                $"{each!["at"]}", $"{each["because"]}", each["when"] is { } when ? InputSchema.Read(when.ToJsonString()) : null))]
            : [];

    /// <summary>Whether a schema describes a value at this pointer.</summary>
    public static bool Describes(JsonElement schema, string at) =>
        at.StartsWith('/') && at[1..].Split('/').Aggregate(
            (JsonElement?)schema, (above, step) => above is { ValueKind: JsonValueKind.Object } one ? Below(one, step) : null) is not null;

    /// <summary>Whether the platform cannot do what stands at this pointer below <c>/input</c>.</summary>
    public bool Holds(Place place)
    {
        var (wanted, steps) = ($"/input{At}".Split('/'), place.Pointer.Split('/'));
        return wanted.Length == steps.Length && wanted.Zip(steps).All(pair => pair.First == "*" || pair.First == pair.Second)
            && When?.Faults(place.Value).Any() != true;
    }

    private static JsonElement? Below(JsonElement schema, string step) =>
        step == "*" ? (schema.TryGetProperty("items", out var items) ? items : null)
        : schema.TryGetProperty("properties", out var members) && members.ValueKind == JsonValueKind.Object
            && members.TryGetProperty(step, out var member) ? member : null;
}
