using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using NetAutomation.Content;

namespace NetAutomation.Platforms.Publish;

/// <summary>A platform's <c>platform.yaml</c>. The engine reads the same file; docs/platforms.md explains each member.</summary>
internal sealed record PlatformManifest(
    string Name,
    string Version,
    string Title,
    Connection Connection,
    string NetworkOs,
    int Port,
    Login[] Logins,
    PlatformCommands Commands,
    PlatformGrammar Grammar,
    PlatformGuard Guard,
    string[]? Preload = null,
    string? Complete = null,
    string[]? Volatile = null,
    string[]? Secrets = null,
    PlatformTerminal? Terminal = null)
{
    private const string File = "platform.yaml";

    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <exception cref="ContentException">The folder is not a platform that may be published.</exception>
    public static PlatformManifest Read(ContentFolder folder)
    {
        _ = folder.Text("README.md");
        return ContentManifest.Read<PlatformManifest>(folder, File, _json, manifest => manifest.Faults(folder.Name));
    }

    private IEnumerable<(string Pointer, string Reason)> Faults(string folder)
    {
        if (Name != folder || !Matches(Name, @"^[a-z][a-z0-9]{1,30}\z"))
        {
            yield return ("/name", "the folder's name, of lower-case letters and digits");
        }

        if (SemanticVersion.Read(Version) is null)
        {
            yield return ("/version", "three numbers, such as \"1.2.0\"");
        }

        if (!Matches(NetworkOs, @"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+\z"))
        {
            yield return ("/networkOs", "a plugin of a collection, such as namespace.collection.name");
        }

        if (Port is < 1 or > 65535)
        {
            yield return ("/port", "1 to 65535");
        }

        if (Logins.Length == 0)
        {
            yield return ("/logins", "at least one");
        }

        if (Grammar.Indent is < 0 or > 8 || Grammar.Comment.Length == 0 || Grammar.Negation.Length == 0)
        {
            yield return ("/grammar", "an indent of 0 to 8, a comment and a negation");
        }

        var patterns = new (string Pointer, IEnumerable<string> Texts)[]
        {
            ("/complete", Complete is null or "twice" ? [] : [Complete]), ("/volatile", Volatile ?? []), ("/secrets", Secrets ?? []),
            ("/terminal/prompts", Terminal?.Prompts ?? []), ("/terminal/question", Terminal?.Question is { } question ? [question] : []),
        };
        foreach (var (pointer, _) in patterns.Where(pattern => pattern.Texts.Any(text => !ContentManifest.IsPattern(text))))
        {
            yield return (pointer, "a regular expression");
        }
    }

    private static bool Matches(string text, string pattern) => Regex.IsMatch(text, pattern, RegexOptions.None, TimeSpan.FromSeconds(1));
}

/// <summary>How the engine connects to a device.</summary>
internal enum Connection
{
    NetworkCli,
    Netconf,
    Ssh,
}

/// <summary>The parts of a credential. <see cref="Enable"/> goes with either of the others.</summary>
internal enum Login
{
    Password,
    SshKey,
    Enable,
}

/// <summary>Whether such a device takes a change back by itself, or has to be put back.</summary>
internal enum PlatformGuard
{
    Hard,
    Soft,
}

/// <summary>Commands of the engine.</summary>
internal sealed record PlatformCommands(string Running, string Version, string? Startup = null, string? Save = null);

/// <summary>How its configuration is written.</summary>
internal sealed record PlatformGrammar(int Indent, string Comment, string Negation);

/// <summary>How its terminal differs from what the collection's plugin expects.</summary>
internal sealed record PlatformTerminal(
    string[]? Prompts = null, string? Question = null, string? Answer = null, int? CommandSeconds = null);
