using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

/// <summary>Documents generated from the code. <c>NETAUTOMATION_UPDATE_DOCS=1 tests/run GeneratedDocs</c> writes them again.</summary>
public sealed class GeneratedDocsTests(PostgresServer postgres)
{
    private static readonly JsonSerializerOptions _indented =
        new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task The_committed_API_document_is_the_one_that_is_served()
    {
        await using var host = await ServiceHost.Start(await postgres.Create());
        var tenant = await host.CreateTenant();
        var served = JsonNode.Parse(await tenant.Client.GetStringAsync("/openapi/v1.json"))!;
        served["openapi"]!.GetValue<string>().ShouldStartWith("3.1");
        await Compare("docs/openapi.json", served.ToJsonString(_indented) + "\n");
    }

    [Fact]
    public async Task Every_operation_has_a_name_and_a_summary_and_every_schema_has_one_meaning()
    {
        await using var host = await ServiceHost.Start(await postgres.Create());
        var tenant = await host.CreateTenant();
        var document = JsonNode.Parse(await tenant.Client.GetStringAsync("/openapi/v1.json"))!;
        var operations = document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject().Select(operation => (Path: path.Key, Verb: operation.Key, operation.Value)))
                .ToList();
        operations.Count.ShouldBeGreaterThan(40);
        operations.Where(operation => operation.Value!["operationId"] is null || operation.Value["summary"] is null)
            .Select(operation => $"{operation.Verb} {operation.Path}").ShouldBeEmpty();
        operations.Select(operation => operation.Value!["operationId"]!.GetValue<string>()).ShouldBeUnique();
        document["components"]!["schemas"]!.AsObject().Select(schema => schema.Key).Where(name => char.IsDigit(name.Last()))
            .ShouldBeEmpty("a trailing digit says that two types share a name");
    }

    [Fact]
    public async Task Swagger_UI_loads_nothing_from_elsewhere()
    {
        await using var host = await ServiceHost.Start(await postgres.Create());
        var tenant = await host.CreateTenant();
        var page = await tenant.Client.GetStringAsync("/swagger/index.html");
        page.ShouldContain("swagger-ui");
        page.ShouldNotContain("http://");
        page.ShouldNotContain("https://");
    }

    [Fact]
    public async Task Every_problem_type_is_documented()
    {
        var text = new StringBuilder(
            "# Problem types\n\n"
            + "Every refusal is problem+json (RFC 9457). `type` is `/problems/{code}` and can be read on the same listener.\n\n"
            + "| code | status | meaning |\n|---|---|---|\n");
        foreach (var type in ProblemType.All.Values)
        {
            text.Append($"| `{type.Code}` | {type.Status} | {type.Title} |\n");
        }

        // What follows is written by hand; FaultCodeTests compares it with the source.
        var there = await File.ReadAllTextAsync(Path.Combine(PostgresServer.RepositoryRoot(), "docs/errors.md"));
        await Compare("docs/errors.md", $"{text}{there[there.IndexOf(FaultCodeTests.Heading, StringComparison.Ordinal)..]}");
    }

    [Fact]
    public async Task The_catalogue_has_a_line_for_each_platform_of_each_block_and_no_other()
    {
        var root = PostgresServer.RepositoryRoot();
        var there = Directory.GetFiles($"{root}/src/Blocks", "*.yml", SearchOption.AllDirectories)
            .Where(path => Path.GetFileName(Path.GetDirectoryName(path)) == "platforms")
            .Select(path => (Block: path.Split('/')[^3], Platform: Path.GetFileNameWithoutExtension(path)));
        var told = (await File.ReadAllLinesAsync($"{root}/docs/catalogue.md"))
            .Where(line => line.StartsWith("| [", StringComparison.Ordinal))
            .Select(line => (Block: line[3..line.IndexOf(']', StringComparison.Ordinal)], Platform: line.Split('|')[2].Trim()));
        told.ShouldBe(there, ignoreOrder: true, "docs/catalogue.md is out of date: tests/blocks/run --write");
    }

    private static async Task Compare(string path, string text)
    {
        var file = Path.Combine(PostgresServer.RepositoryRoot(), path);
        if (Environment.GetEnvironmentVariable("NETAUTOMATION_UPDATE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(file, text);
        }

        (await File.ReadAllTextAsync(file)).ShouldBe(text, $"{path} is out of date: NETAUTOMATION_UPDATE_DOCS=1 tests/run GeneratedDocs");
    }
}
