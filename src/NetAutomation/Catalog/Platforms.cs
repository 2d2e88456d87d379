namespace NetAutomation.Catalog;

/// <summary>The network operating systems a block may name and a device may have.</summary>
internal static class Platforms
{
    public static IReadOnlyList<string> Known { get; } = ["frr"];
}
