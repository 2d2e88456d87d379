using System.Text.Json;
using System.Text.RegularExpressions;

namespace NetAutomation.Platforms;

/// <summary>One immutable version of a platform.</summary>
/// <param name="Name">The name that devices use.</param>
/// <param name="Digest"><c>sha256:</c> and hex, over every file of its folder.</param>
/// <param name="Title">For a person.</param>
/// <param name="Connection">How the engine reaches it.</param>
/// <param name="Port">The port that is usual.</param>
/// <param name="Logins">What a credential may hold.</param>
/// <param name="Guard">Whether such a device can take a change back by itself: <c>hard</c>, or <c>soft</c>.</param>
/// <param name="Shell">Whether a login may land in a shell in which the device's own is a program.</param>
/// <param name="Reserved">By format of an input, a pattern of text that the platform's command line takes for itself.</param>
internal sealed record PlatformVersion(
    string Name, string Digest, string Title, string Connection, int Port, IReadOnlyList<string> Logins, string Guard, bool Shell,
    JsonElement Reserved)
{
    /// <summary>How the patterns of <see cref="Reserved"/> are read: no text of a customer makes the match slow.</summary>
    public const RegexOptions ReservedPattern = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
}
