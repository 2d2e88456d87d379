using System.Text;

namespace NetAutomation.History.Store;

/// <summary>A text as its lines. Each byte is one character, so that bytes which are no UTF-8 are kept, too.</summary>
internal static class TextLines
{
    public static string[] Of(ReadOnlySpan<byte> text) => Encoding.Latin1.GetString(text).Split('\n');

    public static byte[] Bytes(IEnumerable<string> lines) => Encoding.Latin1.GetBytes(string.Join('\n', lines));

    /// <summary>How many lines there are for a person: none follows the last line's end.</summary>
    public static int Count(string[] lines) => lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;

    /// <summary>A line for a person.</summary>
    public static string Shown(string line) => Ascii.IsValid(line) ? line : Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(line));
}
