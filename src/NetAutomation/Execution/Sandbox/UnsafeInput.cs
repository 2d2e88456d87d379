using System.Text.Json;
using System.Text.Json.Nodes;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// The customer's input on its way into Ansible. Two independent defences: the catalogue refuses templates when it accepts the
/// input, and what it accepts is marked here so that Ansible never templates it.
/// </summary>
internal static class UnsafeInput
{
    private static readonly string[] _openers = ["{{", "{%", "{#"];

    /// <summary>Every string becomes <c>{"__ansible_unsafe": …}</c> (ansible/parsing/ajson.py).</summary>
    public static JsonNode? Mark(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => new JsonObject(
            value.EnumerateObject().Select(member => KeyValuePair.Create(Allowed(member.Name), Mark(member.Value)))),
        JsonValueKind.Array => new JsonArray([.. value.EnumerateArray().Select(Mark)]),
        JsonValueKind.String => new JsonObject { ["__ansible_unsafe"] = value.GetString() },
        _ => JsonNode.Parse(value.GetRawText()),
    };

    // Names are not templated by Ansible, but its JSON markers and connection variables are names.
    private static string Allowed(string name) =>
        _openers.Any(opener => name.Contains(opener, StringComparison.Ordinal)) || name.StartsWith("__ansible", StringComparison.Ordinal)
            || name.StartsWith("ansible_", StringComparison.OrdinalIgnoreCase)
            ? throw new ArgumentException("The input has a forbidden name.", nameof(name)) : name;
}
