namespace NetAutomation.Deployment;

/// <summary>What is written for AWS CloudFormation, made twice: once for each of two cells, in two folders.</summary>
public sealed class Synthesis : IAsyncLifetime
{
    public string First { get; } = Directory.CreateTempSubdirectory("netautomation-aws").FullName;

    public string Second { get; } = Directory.CreateTempSubdirectory("netautomation-aws").FullName;

    internal Templates Main => Templates.Read(First, "main");

    public async ValueTask InitializeAsync()
    {
        foreach (var folder in new[] { First, Second })
        {
            var (code, said) = await Programs.Run(
                Path.Combine(Root.Path, "deploy", "aws", "synth"), [folder, "main", "next"], ("NETAUTOMATION_BUILT", "1"));
            code.ShouldBe(0, said);
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(First, recursive: true);
        Directory.Delete(Second, recursive: true);
        return ValueTask.CompletedTask;
    }
}

public sealed class DeploymentTests(Synthesis synthesis) : IClassFixture<Synthesis>
{
    public static TheoryData<int> Lines => [.. Checklist.Checks.Keys];

    [Fact]
    public void Templates_made_twice_are_the_same_bytes() => Texts(synthesis.Second).ShouldBe(Texts(synthesis.First));

    [Fact]
    public void Committed_templates_are_those_that_are_made() =>
        Texts(Path.Combine(Root.Path, "deploy", "aws", "templates")).ShouldBe(
            Texts(synthesis.First).Where(text => text.Key.StartsWith("netautomation-main-", StringComparison.Ordinal)).ToDictionary(),
                "deploy/aws/synth writes them");

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
        var texts = Texts(synthesis.First);
        foreach (var (name, text) in texts.Where(text => text.Key.StartsWith("netautomation-next-", StringComparison.Ordinal)))
        {
            text.ShouldNotContain("netautomation-main");
            var other = texts[name.Replace("-next-", "-main-", StringComparison.Ordinal)];
            Templates.Read(synthesis.First, "next").Stacks.Keys.ShouldBe(synthesis.Main.Stacks.Keys);
            text.Split('\n').Length.ShouldBe(other.Split('\n').Length);
        }
    }

    [Fact]
    public async Task The_vendors_linter_finds_no_error()
    {
        var linter = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "cfn-lint"))
            .FirstOrDefault(File.Exists);
        Assert.SkipWhen(linter is null, "cfn-lint is not installed (https://github.com/aws-cloudformation/cfn-lint)");
        var (code, said) = await Programs.Run(
            linter, ["--non-zero-exit-code", "error", .. Directory.EnumerateFiles(synthesis.First, "netautomation-main-*.template.json")]);
        code.ShouldBe(0, said);
    }

    [Fact]
    public void Every_line_of_the_checklist_says_how_it_is_shown()
    {
        var rows = File.ReadAllLines(Path.Combine(Root.Path, "docs", "deploying-on-aws.md"))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .Select(line => line.Split('|')).Where(cells => int.TryParse(cells[1], out _))
                .ToDictionary(cells => int.Parse(cells[1]), cells => cells[3].Trim());
        rows.Keys.Order().ShouldBe(Enumerable.Range(1, 42));
        rows.Where(row => row.Value.StartsWith("checked", StringComparison.Ordinal)).Select(row => row.Key).Order()
            .ShouldBe(Checklist.Checks.Keys);
        rows.Where(row => row.Value.Length == 0).ShouldBeEmpty();
    }

    private static Dictionary<string, string> Texts(string directory) => Directory.EnumerateFiles(directory, "*.template.json")
        .ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
}
