using System.Net;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

public sealed class BrowseBlocksTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Fact]
    public async Task Block_shows_schema_prices_and_documentation()
    {
        var client = (await shared.Host.CreateTenant(MemberRole.Viewer)).Client;
        var block = (await client.Call("GET", "/v1/blocks/static-routes")).Must(HttpStatusCode.OK).Json;
        var version = block.GetProperty("versions")[0].GetProperty("version").GetString();
        var detail = (await client.Call("GET", $"/v1/blocks/static-routes/versions/{version}")).Must(HttpStatusCode.OK).Json;
        detail.GetProperty("effect").GetString().ShouldBe("idempotent");
        detail.GetProperty("inputSchema").GetProperty("properties").GetProperty("routes").GetProperty("type").GetString().ShouldBe("array");
        detail.GetProperty("prices").GetProperty("applyDevice").GetProperty("amount").GetString().ShouldBe("0.050000");
        detail.GetProperty("doc").GetString()!.ShouldStartWith("#");
        detail.GetProperty("digest").GetString()!.ShouldStartWith("sha256:");
        detail.GetProperty("state").GetString().ShouldBe("published");
    }

    [Fact]
    public async Task Version_shows_what_a_platform_cannot_do()
    {
        var client = (await shared.Host.CreateTenant(MemberRole.Viewer)).Client;
        var version = (await client.Call("GET", "/v1/blocks/interfaces")).Must(HttpStatusCode.OK).Json
            .GetProperty("versions")[0].GetProperty("version").GetString();
        var lacks = (await client.Call("GET", $"/v1/blocks/interfaces/versions/{version}")).Must(HttpStatusCode.OK).Json
            .GetProperty("lacks").EnumerateArray();
        var lack = lacks.Single(each => each.GetProperty("platform").GetString() == "frr");
        lack.GetProperty("at").GetString().ShouldBe("/interfaces/*/mtu");
        lack.GetProperty("because").GetString().ShouldBe("the MTU is the kernel's and has no line in its configuration");
    }

    [Theory]
    [InlineData("?effect=read", "compliance,config-backup,device-facts,software-version,state-snapshot")]
    [InlineData("?platform=frr&search=STATIC", "static-routes")]
    [InlineData("?platform=ios", "")]
    [InlineData("?search=%25", "")]
    public async Task List_is_filtered(string query, string expected)
    {
        var client = (await shared.Host.CreateTenant()).Client;
        var items = (await client.Call("GET", $"/v1/blocks{query}")).Must(HttpStatusCode.OK).Json.GetProperty("items");
        string.Join(',', items.EnumerateArray().Select(item => item.GetProperty("block").GetString()).Order()).ShouldBe(expected);
    }

    [Fact]
    public async Task List_is_paged()
    {
        var client = (await shared.Host.CreateTenant()).Client;
        var seen = new List<string>();
        string? next = "";
        while (next is not null)
        {
            var page = (await client.Call("GET", $"/v1/blocks?limit=1{next}")).Must(HttpStatusCode.OK).Json;
            seen.Add(page.GetProperty("items")[0].GetProperty("block").GetString()!);
            next = page.GetProperty("next").GetString() is { } cursor ? $"&after={cursor}" : null;
        }

        seen.ShouldBe(
            Directory.GetDirectories($"{PostgresServer.RepositoryRoot()}/src/Blocks").Select(Path.GetFileName), ignoreOrder: true);
    }

    [Theory]
    [InlineData("/v1/blocks/none", HttpStatusCode.NotFound)]
    [InlineData("/v1/blocks/static-routes/versions/9.9.9", HttpStatusCode.NotFound)]
    [InlineData("/v1/blocks?effect=harmless", HttpStatusCode.UnprocessableEntity)]
    public async Task An_unknown_block_or_version_is_refused(string path, HttpStatusCode status) =>
        (await (await shared.Host.CreateTenant()).Client.Call("GET", path)).Must(status);
}
