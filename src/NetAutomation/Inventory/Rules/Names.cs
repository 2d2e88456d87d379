using NetAutomation.Web;

namespace NetAutomation.Inventory.Rules;

/// <summary>Names that reach command lines.</summary>
internal static class Names
{
    /// <summary>A login name; it reaches command lines, so it holds no blank and does not start with a hyphen.</summary>
    public static IEnumerable<ProblemError> UsernameFaults(string text, string at)
    {
        if (text.Length is 0 or > 64 || text[0] == '-' || text.Any(c => c is <= ' ' or > '~' or '"' or '\'' or '`' or '$' or '{' or '}'))
        {
            yield return new ProblemError(
                at, "pattern", "1 to 64 printable ASCII characters without blanks, quotes, braces and $, not starting with a hyphen.");
        }
    }
}
