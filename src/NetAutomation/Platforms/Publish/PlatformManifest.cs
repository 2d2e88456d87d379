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
    int Port,
    Login[] Logins,
    PlatformCommands Commands,
    PlatformGrammar Grammar,
    PlatformGuard Guard,
    string? NetworkOs = null,
    string[]? Preload = null,
    string? Recognised = null,
    string? Saved = null,
    string? Aborted = null,
    PlatformParts? Parts = null,
    string? Complete = null,
    string[]? Volatile = null,
    string[]? Secrets = null,
    Dictionary<string, string>? Reserved = null,
    PlatformTerminal? Terminal = null)
{
    /// <summary>The formats of an input whose values are text of a customer's choice.</summary>
    public static readonly string[] Reservable = ["description", "hostname", "interface", "line", "name", "secret", "vrf"];

    private const string File = "platform.yaml";

    /// <summary>The platform's code for devices that take no lines but their whole text.</summary>
    private const string Text = "text.py";

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
        return ContentManifest.Read<PlatformManifest>(folder, File, _json, manifest => manifest.Faults(folder));
    }

    /// <summary>The patterns of what is secret in a published platform, whose other members may be newer than this process.</summary>
    public static IEnumerable<string> Secret(ContentFolder folder) =>
        folder.Yaml(File).Root?["secrets"]?.AsArray().Select(pattern => pattern!.GetValue<string>()) ?? [];

    private IEnumerable<(string Pointer, string Reason)> Faults(ContentFolder folder)
    {
        if (Name != folder.Name || !Matches(Name, @"^[a-z][a-z0-9]{1,30}\z"))
        {
            yield return ("/name", "the folder's name, of lower-case letters and digits");
        }

        if (SemanticVersion.Read(Version) is null)
        {
            yield return ("/version", "three numbers, such as \"1.2.0\"");
        }

        if (Connection is Connection.Ssh ? NetworkOs is not null : !Matches(NetworkOs ?? "", @"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+\z"))
        {
            yield return ("/networkOs", "a plugin of a collection, such as namespace.collection.name; none for ssh");
        }

        if (Connection is Connection.Ssh != folder.Files.Any(file => file.Path == Text))
        {
            yield return ("/connection", $"ssh needs {Text}, which writes the device's text, and no other connection has it");
        }

        if (Port is < 1 or > 65535)
        {
            yield return ("/port", "1 to 65535");
        }

        if (Logins.Length == 0)
        {
            yield return ("/logins", "at least one");
        }

        if (Commands.Abort is null != Aborted is null)
        {
            yield return ("/aborted", "what the device says to abort where it has no session; only there");
        }

        foreach (var fault in Grammar.Faults())
        {
            yield return fault;
        }

        if (Connection is Connection.Ssh && Terminal?.Shell is not null)
        {
            yield return ("/terminal/shell", "a program with a terminal; none for ssh");
        }

        if (Terminal?.LoginSeconds is < 5 or > 120)
        {
            yield return ("/terminal/loginSeconds", "5 to 120");
        }

        // A run in which nothing happens for longer is stopped.
        if (Terminal?.CommandSeconds is < 5 or > 240)
        {
            yield return ("/terminal/commandSeconds", "5 to 240");
        }

        var patterns = new (string Pointer, IEnumerable<string> Texts)[]
        {
            ("/complete", Complete is null or "twice" ? [] : [Complete]), ("/volatile", Volatile ?? []), ("/secrets", Secrets ?? []),
            ("/recognised", Recognised is null ? [] : [Recognised]), ("/saved", Saved is null ? [] : [Saved]),
            ("/aborted", Aborted is null ? [] : [Aborted]),
            ("/parts", Parts is null ? [] : [Parts.Down, .. Parts.Needed.Values]),
            ("/terminal/prompts", Terminal?.Prompts ?? []), ("/terminal/question", Terminal?.Question is { } question ? [question] : []),
            ("/terminal/errors", Terminal?.Errors ?? []), ("/terminal/noise", Terminal?.Noise ?? []),
            ("/terminal/questions", Terminal?.Questions?.Keys.ToArray() ?? []),
            ("/terminal/modes", Terminal?.Modes is { } modes ? [modes] : []),
            ("/terminal/pager", Terminal?.Pager?.Keys.Keys.ToArray() ?? []),
        };
        foreach (var (pointer, _) in patterns.Where(pattern => pattern.Texts.Any(text => !ContentManifest.IsPattern(text))))
        {
            yield return (pointer, "a regular expression");
        }

        foreach (var (format, text) in Reserved ?? [])
        {
            if (!Reservable.Contains(format, StringComparer.Ordinal))
            {
                yield return ($"/reserved/{format}", $"one of {string.Join(", ", Reservable)}");
            }
            else if (!ContentManifest.IsPattern(text, PlatformVersion.ReservedPattern))
            {
                yield return ($"/reserved/{format}", "a regular expression that looks neither ahead nor behind");
            }
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
internal sealed record PlatformCommands(
    string Running, string Version, string? Startup = null, string? Save = null, string? Configure = null, string? End = null,
    string? Abort = null);

/// <summary>The programs that a device's configuration is spread over.</summary>
/// <param name="Watch">The command of the program that watches over them.</param>
/// <param name="Down">What it says of one that does not run; the first group is its name.</param>
/// <param name="List">The command that shows the names of those that run.</param>
/// <param name="Needed">By name, the lines that each of them configures.</param>
internal sealed record PlatformParts(string Watch, string Down, string List, Dictionary<string, string> Needed);

/// <summary>How its configuration is written. The engine's <c>tree.py</c> gives the members their meaning.</summary>
internal sealed record PlatformGrammar(
    int Indent, string Comment, string Negation, string Leave = "exit", bool Braces = false, string? Ends = null, string? Renames = null,
    string[]? Sections = null, string[]? Derived = null, string[]? Anywhere = null, PlatformObject[]? Objects = null)
{
    public IEnumerable<(string Pointer, string Reason)> Faults()
    {
        if (Indent is < 0 or > 8 || Comment.Length == 0 || Negation.Length == 0 || Leave.Length == 0)
        {
            yield return ("/grammar", "an indent of 0 to 8, a comment, a negation and a word to leave a section");
        }

        foreach (var (pointer, text) in new[] { ("/grammar/ends", Ends), ("/grammar/renames", Renames) })
        {
            if (text is not null && !PlatformObject.IsPattern(text))
            {
                yield return (pointer, "a regular expression");
            }
        }

        foreach (var (pointer, texts) in new[]
                 { ("/grammar/sections", Sections), ("/grammar/derived", Derived), ("/grammar/anywhere", Anywhere) })
        {
            if (!(texts ?? []).All(PlatformObject.IsPattern))
            {
                yield return (pointer, "regular expressions");
            }
        }

        foreach (var (index, each) in (Objects ?? []).Index())
        {
            foreach (var (pointer, reason) in each.Faults())
            {
                yield return ($"/grammar/objects/{index}{pointer}", reason);
            }
        }
    }
}

/// <summary>A kind of object in a configuration: a line of its own, or the lines that name it.</summary>
/// <param name="Within">The sections that hold such objects, each as the patterns of its headers; an empty list for the top.</param>
/// <param name="Begins">How every line of the kind begins, whether the rest can be read or not; null: all of them can be read.</param>
/// <param name="Line">The whole line; its named groups are its attributes.</param>
/// <param name="Key">Groups that tell two objects apart; the first is the one that people name it by.</param>
/// <param name="One">Groups by which a device has one line at most: a new one takes the place of the old one.</param>
/// <param name="Whole">The wanted line is all there is of the object: other lines with its key go.</param>
/// <param name="Once">Groups of which the device takes one line, and passes over a second. Not where the first has no value.</param>
/// <param name="Enough">A line of the object is enough, whatever else it says.</param>
/// <param name="Below">Lines in sections below belong to the object, too.</param>
/// <param name="Remove">The command that removes the whole object; without one, each of its lines is negated.</param>
/// <param name="Vital">Settings whose negation removes the whole object; <c>*</c> for any of its lines.</param>
/// <param name="Shared">Attributes that the device keeps once for all lines that agree in the listed groups.</param>
/// <param name="Inherits">Settings that an object takes from another one that it names.</param>
/// <param name="Defaults">Settings that the device shows only where they are otherwise.</param>
internal sealed record PlatformObject(
    string Name, string[][] Within, string Line, string[] Key, string[] One, string? Begins = null, bool Whole = false, bool Below = false,
    string? Remove = null, string[]? Vital = null, Dictionary<string, string[]>? Shared = null,
    PlatformInheritance? Inherits = null, PlatformDefault[]? Defaults = null, string[]? Once = null,
    bool Enough = false, bool First = false, string? Clears = null)
{
    /// <summary>Python writes <c>(?P&lt;name&gt;…)</c> where .NET has <c>(?&lt;name&gt;…)</c>.</summary>
    public static bool IsPattern(string text) => ContentManifest.IsPattern(text.Replace("(?P<", "(?<", StringComparison.Ordinal));

    public IEnumerable<(string Pointer, string Reason)> Faults()
    {
        foreach (var (pointer, texts) in new[] { ("/within", Within.SelectMany(path => path)), ("/line", [Line]),
                     ("/begins", Begins is null ? [] : [Begins]), ("/clears", Clears is null ? [] : [Clears]) })
        {
            if (!texts.All(IsPattern))
            {
                yield return (pointer, "a regular expression");
            }
        }

        string[] used = [.. Key, .. One, .. Once ?? [], .. (Shared ?? []).SelectMany(each => each.Value.Append(each.Key))];
        if (Key.Length == 0 || used.Any(name => !Line.Contains($"(?P<{name}>", StringComparison.Ordinal)))
        {
            yield return ("", "key, one, once and shared name groups of line");
        }
    }
}

/// <param name="By">The setting whose value names the other object.</param>
internal sealed record PlatformInheritance(string By, string[] Settings);

/// <param name="In">The section below the object's in which it holds.</param>
/// <param name="Unless">A line of the object's section with which it does not hold.</param>
internal sealed record PlatformDefault(string Setting, string In, string? If = null, string? Unless = null);

/// <summary>How its terminal differs from what the collection's plugin expects.</summary>
/// <param name="Errors">Lines that tell of a refusal, beside those of the plugin.</param>
/// <param name="Noise">Lines that the device prints whenever it likes.</param>
/// <param name="Questions">What waits for an answer, with the answer.</param>
/// <param name="Shell">The device's own shell as a program, where a login lands in another one.</param>
/// <param name="Modes">What stands between the device's name and the last character of its prompt in configuration mode.</param>
internal sealed record PlatformTerminal(
    string[]? Prompts = null, string? Question = null, string? Answer = null, int? LoginSeconds = null, int? CommandSeconds = null,
    string[]? Errors = null, string[]? Noise = null, Dictionary<string, string>? Questions = null, string? Modes = null,
    PlatformPager? Pager = null, string? Shell = null);

/// <summary>What shows an answer page by page.</summary>
/// <param name="Keys">Patterns of the whole line in which it waits, and the key for each: what shows the next page or ends it.</param>
/// <param name="Off">The command that switches it off.</param>
internal sealed record PlatformPager(Dictionary<string, string> Keys, string? Off = null);
