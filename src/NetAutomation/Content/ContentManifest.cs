using System.Text.Json;
using System.Text.RegularExpressions;

namespace NetAutomation.Content;

/// <summary>Reads the YAML file that describes a folder into a record, and names file and line of each fault.</summary>
internal static class ContentManifest
{
    /// <param name="check">Finds the faults of the record: JSON pointers with reasons.</param>
    /// <exception cref="ContentException">The file is missing, cannot be read, or is refused.</exception>
    public static T Read<T>(
        ContentFolder folder, string path, JsonSerializerOptions json, Func<T, IEnumerable<(string Pointer, string Reason)>> check)
        where T : class
    {
        var yaml = folder.Yaml(path);
        T manifest;
        try
        {
            manifest = yaml.Root.Deserialize<T>(json) ?? throw folder.Fault(path, 0, "the file is empty");
        }
        catch (JsonException fault)
        {
            throw folder.Fault(path, yaml.LineOf(Pointer(fault.Path)), fault.InnerException?.Message ?? fault.Message);
        }

        return check(manifest).ToList() is { Count: > 0 } faults
            ? throw new ContentException(
                string.Join(
                    "; ", faults.Select(
                        fault => folder.Fault(path, yaml.LineOf(fault.Pointer), $"{fault.Pointer}: {fault.Reason}").Message)))
            : manifest;
    }

    /// <summary>The text is a regular expression.</summary>
    public static bool IsPattern(string text) => IsPattern(text, RegexOptions.CultureInvariant);

    /// <summary>The text is a regular expression that can be read with these options.</summary>
    public static bool IsPattern(string text, RegexOptions options)
    {
        try
        {
            _ = new Regex(text, options, TimeSpan.FromSeconds(1));
            return true;
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    // System.Text.Json writes paths as $.prices.apply or $['a b'][0].
    private static string Pointer(string? path) =>
        (path ?? "$")[1..].Replace("['", "/", StringComparison.Ordinal).Replace("']", "", StringComparison.Ordinal)
        .Replace('.', '/').Replace('[', '/').Replace("]", "", StringComparison.Ordinal);
}
