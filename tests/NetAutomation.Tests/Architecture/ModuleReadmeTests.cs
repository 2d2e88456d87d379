using System.Reflection;
using System.Text.RegularExpressions;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Architecture;

/// <summary>
/// Every module says its words, what it owns, what always holds and what it does not promise; and names only what is there.
/// </summary>
public sealed partial class ModuleReadmeTests
{
    private const BindingFlags Everything = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;

    // Sections of the configuration that no type is named for.
    private static readonly string[] _sections =
        ["Cell", "Database", "Metering", "Onboarding", "Operator", "Rates", "Serilog", "Targets", "Telemetry"];
    private static readonly string[] _headings = ["## Vocabulary", "## Ownership", "## Invariants", "## Not promised"];
    private static readonly Type[] _types =
        [.. new[] { typeof(Money), typeof(TunnelProtocol), typeof(ModuleReadmeTests) }.SelectMany(type => type.Assembly.GetTypes())];

    public static TheoryData<string> Modules =>
        [.. Directory.GetDirectories(Source).Select(folder => Path.GetFileName(folder)).Where(name => name is not ("bin" or "obj"))];

    private static string Source => Path.Combine(PostgresServer.RepositoryRoot(), "src/NetAutomation");

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_has_a_readme_with_the_four_headings_and_names_what_exists(string module)
    {
        var text = File.ReadAllText(Path.Combine(Source, module, "README.md"));
        _headings.Except(text.Split('\n')).ShouldBeEmpty();
        Quoted().Matches(text).Select(match => match.Groups["name"].Value).Distinct().Where(name => !IsThere(module, name)).ShouldBeEmpty();
    }

    private static bool IsThere(string module, string name)
    {
        if (FileName().IsMatch(name))
        {
            string[] roots = [Path.Combine(Source, module), PostgresServer.RepositoryRoot()];
            return Array.Exists(roots, root => Path.Exists(Path.Combine(root, name)));
        }

        // A type, a type and its member, or a module and its type.
        return !TypeName().IsMatch(name) || (name.Split('.') is [var first, var second]
            ? Array.Exists(_types, type => type.Name == second && type.Namespace == $"NetAutomation.{first}")
                || Array.Exists(_types, type => type.Name.Split('`')[0] == first && type.GetMember(second, Everything).Length > 0)
            : Array.Exists(_types, type => type.Name.Split('`')[0] == name) || Directory.Exists(Path.Combine(Source, name))
                || _sections.Contains(name));
    }

    [GeneratedRegex("`(?<name>[^`\n]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Quoted();

    [GeneratedRegex(@"^((\.\.|src|docs|tests)/[\w./-]+|[\w-]+(/[\w-]+)*\.(cs|md|sql)|[A-Z]\w+/)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FileName();

    [GeneratedRegex(@"^I?[A-Z][a-z]\w*(\.[A-Z]\w*)?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeName();
}
