using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Rules;

/// <summary>Which ways to log in to a device may be given.</summary>
internal static class ConnectionRules
{
    private const int LongestAnswer = 100;

    public static IEnumerable<ProblemError> Faults(ConnectionOptions options, PlatformVersion? platform, string at)
    {
        if (options.ConnectSeconds is < 5 or > 120)
        {
            yield return new ProblemError($"{at}/connectSeconds", "out_of_range", "A login may take 5 to 120 seconds.");
        }

        if (options.CommandSeconds is < 5 or > 600)
        {
            yield return new ProblemError($"{at}/commandSeconds", "out_of_range", "A device may be silent for 5 to 600 seconds.");
        }

        if (options.FirstAnswer is { } answer && (answer.Length > LongestAnswer || answer.Any(char.IsControl)))
        {
            yield return new ProblemError(
                $"{at}/firstAnswer", "pattern", $"At most {LongestAnswer} characters without control characters.");
        }

        if (options is { FirstAnswer: not null, FirstQuestion: null })
        {
            yield return new ProblemError($"{at}/firstQuestion", "required", "An answer needs its question.");
        }

        if (options.Shell is true && platform is { Shell: false })
        {
            yield return new ProblemError(
                $"{at}/shell", "not_on_platform", $"{platform.Name} cannot do this: its logins have no other shell to land in.");
        }

        var patterns = (options.Prompt is null ? [] : Patterns.Faults(options.Prompt, $"{at}/prompt", line: true))
            .Concat(options.FirstQuestion is null ? [] : Patterns.Faults(options.FirstQuestion, $"{at}/firstQuestion"));
        foreach (var fault in patterns)
        {
            yield return fault;
        }
    }
}
