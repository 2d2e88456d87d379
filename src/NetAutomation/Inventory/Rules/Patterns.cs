using System.Text.RegularExpressions;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Rules;

/// <summary>
/// Regular expressions that a customer may give: a plain subset that .NET and Python read alike, and whose effort is bounded. Three
/// quantifiers in a row of single characters cost at most the cube of a line's length.
/// </summary>
internal static partial class Patterns
{
    private const int Longest = 100;
    private const int MostQuantifiers = 3;

    public static IEnumerable<ProblemError> Faults(string text, string at, bool line = false)
    {
        if (text.Length > Longest || Plain().Match(text) is not { Success: true } match
            || match.Groups["repeat"].Captures.Count(
                repeat => repeat.Value[^1] != '}' || repeat.Value.Contains(',', StringComparison.Ordinal)) > MostQuantifiers
            || !IsPattern(text) || (line && (text[0] != '^' || match.Groups["end"].Length == 0)))
        {
            yield return new ProblemError(
                at, "pattern",
                $"{(line ? "^, then characters" : "Characters")}, classes and escapes such as \\d and \\[, with at most {MostQuantifiers} "
                + $"quantifiers{(line ? ", then $" : "")}; no groups, no alternatives, at most {Longest} characters.");
        }
    }

    // For what the grammar leaves open, such as the order within [a-z] and {1,2}.
    private static bool IsPattern(string text)
    {
        try
        {
            _ = new Regex(text, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    // Atomic, so that no text takes longer to refuse than to read.
    [GeneratedRegex(
        """
        ^\^?
        (?>
          (?:[^\\^$.|?*+()\[\]{}\p{C}]|\.|\\[dwsDWS]|\\[!-/:-@\[-`{-~]|\[\^?(?:[^\\\[\]^\p{C}]|\\[dws]|\\[!-/:-@\[-`{-~])+\])
          (?<repeat>[?*+]|\{[0-9]{1,2}(?:,[0-9]{0,2})?\})?
        )+
        (?<end>\$)?\z
        """,
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace, 1000)]
    private static partial Regex Plain();
}
