using System.Text.RegularExpressions;
using NetAutomation.EndToEnd;

namespace NetAutomation.Deployment;

/// <summary>What is written for AWS CloudFormation, made twice: once for each of two cells, in two folders.</summary>
public sealed class Synthesis : IAsyncLifetime
{
    internal static readonly TimeSpan _patience = TimeSpan.FromMinutes(10);

    public string First { get; } = Directory.CreateTempSubdirectory("netautomation-aws").FullName;

    public string Second { get; } = Directory.CreateTempSubdirectory("netautomation-aws").FullName;

    internal Templates Main => Templates.Read(First, "main");

    public async ValueTask InitializeAsync()
    {
        foreach (var folder in new[] { First, Second })
        {
            var (code, _, error) = await Repository.Run(
                _patience, new Dictionary<string, string>(StringComparer.Ordinal) { ["NETAUTOMATION_BUILT"] = "1" },
                "deploy/aws/synth", folder, "main", "next");
            code.ShouldBe(0, error);
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(First, recursive: true);
        Directory.Delete(Second, recursive: true);
        return ValueTask.CompletedTask;
    }
}

public sealed partial class DeploymentTests(Synthesis synthesis) : IClassFixture<Synthesis>
{
    public static TheoryData<int> Lines => [.. Checklist.Checks.Keys];

    [Fact]
    public void Templates_made_twice_are_the_same_bytes() => Texts(synthesis.Second).ShouldBe(Texts(synthesis.First));

    [Fact]
    public void Committed_templates_are_those_that_are_made() =>
        Texts(Path.Combine(Repository.Root, "deploy", "aws", "templates")).ShouldBe(
            Texts(synthesis.First, "main"), "deploy/aws/synth writes them");

    [Theory]
    [MemberData(nameof(Lines))]
    public void Line_of_the_checklist_holds(int line) => Checklist.Findings(line, synthesis.Main).ShouldBeEmpty();

    [Fact]
    public void Every_careless_change_is_seen_by_its_line_of_the_checklist()
    {
        var main = synthesis.Main;
        Flips.All.Count.ShouldBeGreaterThanOrEqualTo(60);
        var unseen = new List<string>();
        foreach (var flip in Flips.All)
        {
            var flipped = main.Copy();
            flip.Do(flipped);
            if (Checklist.Findings(flip.Line, flipped).Count == 0)
            {
                unseen.Add(flip.ToString());
            }
        }

        unseen.ShouldBeEmpty();
    }

    [Fact]
    public void Every_line_that_is_checked_has_a_careless_change() =>
        Checklist.Checks.Keys.Except(Flips.All.Select(flip => flip.Line)).ShouldBeEmpty();

    [Fact]
    public void Cells_are_alike_and_share_nothing()
    {
        var (main, next) = (Texts(synthesis.First, "main"), Texts(synthesis.First, "next"));
        next.Count.ShouldBe(7);
        string.Concat(next.Values).ShouldNotContain("netautomation-main");
        next.Select(text => Unnamed(text.Key, text.Value)).ShouldBe(main.Select(text => Unnamed(text.Key, text.Value)), ignoreOrder: true);

        // A template without its cell's name, and without the hashes of it that the framework puts behind ids.
        static string Unnamed(string file, string text) => Hash().Replace(
            $"{file}\n{text}".Replace("main", "", StringComparison.Ordinal).Replace("next", "", StringComparison.Ordinal), "");
    }

    [Fact]
    public void Host_of_workers_joins_the_cluster_of_its_cell()
    {
        var template = synthesis.Main.One("AWS::EC2::LaunchTemplate");
        var script = template.Properties["LaunchTemplateData"]!["UserData"]!["Fn::Base64"]!["Fn::Sub"]!;
        script[0]!.ToString().ShouldContain("\nECS_CLUSTER=${Cluster}\n");
        synthesis.Main.Named(template, script[1]!["Cluster"])!.Type.ShouldBe("AWS::ECS::Cluster");
    }

    [Fact]
    public async Task The_vendors_linter_finds_no_error()
    {
        var linter = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "cfn-lint"))
            .FirstOrDefault(File.Exists);
        Assert.SkipWhen(linter is null, "cfn-lint is not installed (https://github.com/aws-cloudformation/cfn-lint)");
        var (code, said, _) = await Repository.Run(
            Synthesis._patience, new Dictionary<string, string>(StringComparer.Ordinal), linter,
            ["--non-zero-exit-code", "error", .. Directory.EnumerateFiles(synthesis.First, "netautomation-main-*.template.json")]);
        code.ShouldBe(0, said);
    }

    [Fact]
    public void Every_line_of_the_checklist_says_how_it_is_shown()
    {
        var rows = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "deploying-on-aws.md"))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .Select(line => line.Split('|')).Where(cells => int.TryParse(cells[1], out _))
                .ToDictionary(cells => int.Parse(cells[1]), cells => cells[3].Trim());
        rows.Keys.Order().ShouldBe(Enumerable.Range(1, 42));
        rows.Where(row => row.Value.StartsWith("checked", StringComparison.Ordinal)).Select(row => row.Key).Order()
            .ShouldBe(Checklist.Checks.Keys);
        rows.Where(row => row.Value.Length == 0).ShouldBeEmpty();
    }

    [GeneratedRegex("[0-9A-F]{8,}", RegexOptions.NonBacktracking)]
    private static partial Regex Hash();

    private static Dictionary<string, string> Texts(string directory, string cell = "*") =>
        Directory.EnumerateFiles(directory, $"netautomation-{cell}-*.template.json")
            .ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
}
