using System.Globalization;
using System.Runtime.InteropServices;

namespace NetAutomation.Content;

/// <summary>Three numbers without leading zeros (semver.org, items 2 and 9); pre-releases are not sold.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SemanticVersion(int Major, int Minor, int Patch)
{
    public static SemanticVersion? Read(string text) =>
        text.Split('.') is [var major, var minor, var patch] && Number(major) is { } a && Number(minor) is { } b && Number(patch) is { } c
            ? new SemanticVersion(a, b, c)
            : null;

    public static int? Number(string text) =>
        text.Length is > 0 and <= 9 && text.All(char.IsAsciiDigit) && (text == "0" || text[0] != '0')
            ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
