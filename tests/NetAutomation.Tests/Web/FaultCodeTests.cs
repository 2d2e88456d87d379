using System.Text.RegularExpressions;
using Mono.Cecil;
using Mono.Cecil.Cil;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

/// <summary>Every code of <c>errors[]</c> that stands in the source is explained in docs/errors.md, and no other.</summary>
public sealed partial class FaultCodeTests
{
    /// <summary>Above the table of the codes.</summary>
    public const string Heading = "\n## Codes of `errors[]`\n";

    private const string Argument = """(?:"[^"]*"|\((?:[^()"]|"[^"]*"|\([^()]*\))*\)|[^(),"])+""";
    private const string Call =
        @"(?:(?<made>new ProblemError|(?<!ContentException)\.At)|(?<![.\w])Fault)\(" + Argument + ",(?<code>" + Argument + ")[,)]";

    // Codes that are passed on, and stand elsewhere.
    private static readonly string[] _passedOn =
    [
        "AcceptanceRule.cs: fault.Code", "ImportRow.cs: code", "InputSchema.cs: code", "ProblemType.cs: code",
        "RequestFaults.cs: refused.Code", "RequestForms.cs: code", "StartRuns.cs: problem.Type.Code",
    ];

    private static readonly (string Name, string Text)[] _sources =
    [
        .. Directory.EnumerateFiles($"{PostgresServer.RepositoryRoot()}/src/NetAutomation", "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj"))
            .Select(path => (Path.GetFileName(path), File.ReadAllText(path))),
    ];

    [Fact]
    public void Every_code_is_documented()
    {
        var given = _sources.SelectMany(source => Calls().Matches(source.Text).Select(call => call.Groups["code"].Value)
            .SelectMany(code => Literals().Matches(code)).Concat(Listed().Matches(source.Text))
            .Select(found => found.Groups["code"].Value)).Distinct();
        var text = File.ReadAllText(Path.Combine(PostgresServer.RepositoryRoot(), "docs/errors.md"));
        var documented = Rows().Matches(text[text.IndexOf(Heading, StringComparison.Ordinal)..])
            .SelectMany(row => row.Groups["codes"].Value.Split(", ")).Select(code => code.Trim('`')).ToList();
        documented.ShouldBe(given, ignoreOrder: true);
        documented.ShouldBeUnique();
    }

    [Fact]
    public void A_code_stands_where_its_fault_is_made()
    {
        _sources.SelectMany(source => Calls().Matches(source.Text)
            .Where(call => call.Groups["made"].Success && !Literals().IsMatch(call.Groups["code"].Value))
            .Select(call => $"{source.Name}: {call.Groups["code"].Value.Trim()}")).Distinct().Order(StringComparer.Ordinal)
            .ShouldBe(_passedOn);

        // And no fault is made in a way in which the source above would not show it.
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(ProblemError).Assembly.Location);
        var made = assembly.MainModule.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody)
            .SelectMany(method => method.Body.Instructions).Count(step => step.OpCode == OpCodes.Newobj
                && step.Operand is MethodReference { Parameters.Count: 3 } constructor
                && constructor.DeclaringType.FullName == typeof(ProblemError).FullName);
        _sources.Sum(source => source.Text.Split("new ProblemError(").Length - 1).ShouldBe(made);
    }

    [GeneratedRegex(Call, RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Calls();

    [GeneratedRegex("(?<!\\$)\"(?<code>[a-z][a-z0-9_]*)\"", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Literals();

    /// <summary>Codes of values that cannot be read, and of the keywords of a schema.</summary>
    [GeneratedRegex("(?:new RefusedValueException\\(|\\] = \\()\"(?<code>[a-z_]+)\", ", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Listed();

    [GeneratedRegex("^\\| (?<codes>`[^|]+`) \\| [^|]+ \\|$", RegexOptions.CultureInvariant | RegexOptions.Multiline, 10_000)]
    private static partial Regex Rows();
}
