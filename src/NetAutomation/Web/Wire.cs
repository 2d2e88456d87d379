using System.Text.Json;

namespace NetAutomation.Web;

/// <summary>Snake-case names of enum values, as they stand in JSON and in the database.</summary>
internal static class Wire
{
    public static string Name<T>(T value)
        where T : struct,
        Enum => Values<T>.Names.TryGetValue(value, out var name) ? name : throw new ArgumentOutOfRangeException(nameof(value));

    public static T Value<T>(string name)
        where T : struct, Enum => Values<T>.ByName[name];

    public static bool TryValue<T>(string name, out T value)
        where T : struct, Enum => Values<T>.ByName.TryGetValue(name, out value);

    private static class Values<T>
        where T : struct, Enum
    {
        public static readonly Dictionary<T, string> Names = Enum.GetValues<T>()
            .ToDictionary(value => value, value => JsonNamingPolicy.SnakeCaseLower.ConvertName($"{value}"));

        public static readonly Dictionary<string, T> ByName =
            Names.ToDictionary(pair => pair.Value, pair => pair.Key, StringComparer.Ordinal);
    }
}
