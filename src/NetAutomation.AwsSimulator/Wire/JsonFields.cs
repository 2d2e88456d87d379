using System.Text.Json.Nodes;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>Members of a JSON request, refused in AWS's words when they have another type.</summary>
internal static class JsonFields
{
    public static string? Text(JsonObject body, string name) =>
        body[name] is not { } node ? null : node is JsonValue value && value.TryGetValue(out string? text) ? text : throw WrongType(name);

    public static string Required(JsonObject body, string name) =>
        Text(body, name) is { Length: > 0 } text
            ? text : throw new AwsException(
                "ValidationException",
                $"1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null");

    public static long? Integer(JsonObject body, string name) =>
        body[name] is not { } node ? null : node is JsonValue value && value.TryGetValue(out long number) ? number : throw WrongType(name);

    public static double? Number(JsonObject body, string name) =>
        body[name] is not { } node
            ? null : node is JsonValue value && value.TryGetValue(out double number) ? number : throw WrongType(name);

    public static IEnumerable<JsonObject> Objects(JsonObject body, string name) =>
        body[name] is not { } node
            ? [] : node is JsonArray list ? list.Select(item => item as JsonObject ?? throw WrongType(name)) : throw WrongType(name);

    private static AwsException WrongType(string name) => new("SerializationException", $"The member '{name}' has the wrong type.");
}
