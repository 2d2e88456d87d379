using System.Globalization;
using System.Text;

namespace NetAutomation.Web;

/// <summary>
/// Text that a person gives and that a page, a log or a terminal shows to another one: it must read as it is. So it holds no character that
/// nobody sees, and none that turns others around.
/// </summary>
internal static class ShownText
{
    private const int LongestName = 128;

    /// <summary>
    /// False for control and format characters (such as bidirectional overrides and zero-width ones), line and paragraph separators, halves
    /// of characters, private use, code points without a character, and letters, marks and symbols that are drawn as nothing
    /// (Default_Ignorable_Code_Point of Unicode, and the blank pattern of Braille).
    /// </summary>
    public static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
        && rune.Value is not (0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or (>= 0x180B and <= 0x180F) or 0x2800 or 0x3164
            or (>= 0xFE00 and <= 0xFE0F) or 0xFFA0 or (>= 0xE0100 and <= 0xE01EF));

    /// <summary>True for one line of characters that all are shown; an unpaired surrogate is none.</summary>
    public static bool IsShown(string text) => All(text, IsShown);

    /// <summary>What is wrong with a name.</summary>
    public static IEnumerable<ProblemError> NameFaults(string name, string at, int longest = LongestName)
    {
        if (name.Length == 0 || name.Length > longest || name.Trim() != name || !IsShown(name))
        {
            yield return new ProblemError(
                at, "pattern", $"1 to {longest} characters without control or invisible characters and without blanks at the ends.");
        }
    }

    /// <summary>What is wrong with a reason, an evidence or another text of several lines.</summary>
    public static IEnumerable<ProblemError> TextFaults(string text, string at, int longest = 500)
    {
        if (text.Length == 0 || text.Length > longest)
        {
            yield return new ProblemError(at, "length", $"1 to {longest} characters.");
        }
        else if (!All(text, rune => IsShown(rune) || rune.Value is '\n' or '\r' or '\t'))
        {
            yield return new ProblemError(at, "control_character", "Control and invisible characters are refused.");
        }
    }

    /// <summary>The first fault as a refusal; null where there is none.</summary>
    public static Problem? Refusal(IEnumerable<ProblemError> faults) =>
        faults.ToList() is { Count: > 0 } found ? new Problem(Problems.Refused, errors: found) : null;

    private static bool All(string text, Func<Rune, bool> allowed)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var length) != System.Buffers.OperationStatus.Done || !allowed(rune))
            {
                return false;
            }

            rest = rest[length..];
        }

        return true;
    }
}
