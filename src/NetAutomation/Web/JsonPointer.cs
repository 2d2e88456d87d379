using System.Text.RegularExpressions;

namespace NetAutomation.Web;

/// <summary>JSON pointers (RFC 6901).</summary>
internal static partial class JsonPointer
{
    /// <summary>A member's name as it stands in a pointer.</summary>
    public static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>The pointer for a path of System.Text.Json, for example <c>$.routes[0]['a.b']</c>.</summary>
    public static string Of(string? path) =>
        path is null ? "" : string.Concat(Step().Matches(path, 1).Select(step => $"/{Escape(step.Groups["name"].Value)}"));

    [GeneratedRegex(
        @"\G(\.(?<name>[^.\[]*)|\['(?<name>.*?)'\](?=[.\[]|\z)|\[(?<name>[0-9]+)\])",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Step();
}
