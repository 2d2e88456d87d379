using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Platforms.Publish;

namespace NetAutomation.Platforms;

/// <summary>Hides what platforms call secret, as the engine does: by the same patterns, of their newest versions.</summary>
internal sealed class SecretMasks(PlatformCatalog platforms)
{
    private readonly ConcurrentDictionary<string, Regex[]> _known = new(StringComparer.Ordinal);

    /// <summary>The mask of a text that was read while its device was one of these, one after the other.</summary>
    /// <exception cref="InvalidOperationException">A platform was never published: nobody knows what is secret.</exception>
    public async Task<SecretMask> Of(NetAutomationDb db, IReadOnlyCollection<string> names, CancellationToken cancel)
    {
        var versions = await platforms.Pin(db, names, cancel);
        if (names.Except(versions.Select(version => version.Name), StringComparer.Ordinal).ToList() is { Count: > 0 } missing)
        {
            throw new InvalidOperationException($"There is no platform {string.Join(", ", missing)}.");
        }

        var patterns = new List<Regex>();
        foreach (var version in versions)
        {
            if (!_known.TryGetValue(version.Digest, out var own))
            {
                var folder = ContentFolder.Read((await platforms.Directory(db, version.Digest, cancel))!);
                own = _known[version.Digest] = [.. PlatformManifest.Secret(folder).Select(SecretMask.Pattern)];
            }

            patterns.AddRange(own);
        }

        return new SecretMask(patterns);
    }
}

/// <summary>Hides secrets in lines of a configuration.</summary>
internal sealed class SecretMask(IReadOnlyList<Regex> patterns)
{
    private const string Hidden = "***";
    private static readonly TimeSpan _longest = TimeSpan.FromMilliseconds(500);

    /// <summary>The line without the secrets in it; nothing of it where a pattern takes too long.</summary>
    public string Line(string line)
    {
        try
        {
            foreach (var pattern in patterns)
            {
                line = Without(line, pattern);
            }

            return line;
        }
        catch (RegexMatchTimeoutException)
        {
            return Hidden;
        }
    }

    internal static Regex Pattern(string text) => new(text, RegexOptions.CultureInvariant | RegexOptions.Compiled, _longest);

    // What is secret is the first group, and what stands around it stays.
    private static string Without(string line, Regex pattern)
    {
        foreach (var group in pattern.Matches(line).Reverse().Select(match => match.Groups[1]))
        {
            line = $"{line.AsSpan(0, group.Index)}{Hidden}{line.AsSpan(group.Index + group.Length)}";
        }

        return line;
    }
}
