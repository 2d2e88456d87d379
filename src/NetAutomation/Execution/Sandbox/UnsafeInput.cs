using System.Text.Json;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// The customer's input on its way into Ansible. Two independent defences: templates are refused when the input is
/// accepted (<see cref="Faults"/>), and whatever passes is marked so that Ansible never templates it (<see cref="Write"/>).
/// </summary>
internal static class UnsafeInput
{
    private static readonly string[] Openers = ["{{", "{%", "{#"];

    /// <summary>JSON pointers of the values and names that look like templates or like Ansible's own JSON markers.</summary>
    public static IReadOnlyList<string> Faults(JsonElement input)
    {
        var faults = new List<string>();
        Visit(input, "", faults);
        return faults;
    }

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

    private static void Visit(JsonElement value, string pointer, List<string> faults)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    var at = $"{pointer}/{member.Name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";
                    if (IsForbiddenName(member.Name))
                    {
                        faults.Add(at);
                    }

                    Visit(member.Value, at, faults);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                {
                    Visit(item, $"{pointer}/{index++}", faults);
                }

                break;
            case JsonValueKind.String when HasTemplate(value.GetString() ?? ""):
                faults.Add(pointer);
                break;
        }
    }

    // Names are not templated by Ansible, but its JSON markers and connection variables are names.
    private static bool IsForbiddenName(string name) =>
        HasTemplate(name) || name.StartsWith("__ansible", StringComparison.Ordinal) || name.StartsWith("ansible_", StringComparison.OrdinalIgnoreCase);

    private static bool HasTemplate(string text) => Openers.Any(opener => text.Contains(opener, StringComparison.Ordinal));
}
