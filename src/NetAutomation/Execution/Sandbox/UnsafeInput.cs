using System.Text.Json;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// The customer's input on its way into Ansible. Two independent defences: the catalogue refuses templates when it accepts the
/// input, and whatever passes is marked here so that Ansible never templates it.
/// </summary>
internal static class UnsafeInput
{
    private static readonly string[] _openers = ["{{", "{%", "{#"];

    /// <summary>Every string becomes <c>{"__ansible_unsafe": …}</c> (ansible/parsing/ajson.py).</summary>
    public static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    if (IsForbiddenName(member.Name))
                    {
                        throw new ArgumentException("The input has a forbidden name.", nameof(value));
                    }

                    writer.WritePropertyName(member.Name);
                    Write(writer, member.Value);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStartObject();
                writer.WriteString("__ansible_unsafe", value.GetString());
                writer.WriteEndObject();
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }

    // Names are not templated by Ansible, but its JSON markers and connection variables are names.
    private static bool IsForbiddenName(string name) =>
        _openers.Any(opener => name.Contains(opener, StringComparison.Ordinal)) || name.StartsWith("__ansible", StringComparison.Ordinal)
            || name.StartsWith("ansible_", StringComparison.OrdinalIgnoreCase);
}
