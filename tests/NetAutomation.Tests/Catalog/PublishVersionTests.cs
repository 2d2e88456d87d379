using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using NetAutomation.Content;
using NetAutomation.Tests.Billing;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

/// <summary>The provider's staff publishes versions of a block from archives, and deprecates them.</summary>
public sealed class PublishVersionTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Fact]
    public async Task An_archive_becomes_a_version_beside_those_that_are_there()
    {
        using var staff = shared.Host.Operator();
        var client = (await shared.Host.CreateTenant()).Client;
        var slug = Slug();
        var first = (await Publish(staff, slug, Pack(slug, "1.0.0"))).Must(HttpStatusCode.OK).Json;
        (await Publish(staff, slug, Pack(slug, "1.0.0"))).Must(HttpStatusCode.OK).Text.ShouldBe($"{first}");
        (await Publish(staff, slug, Pack(slug, "1.1.0", price: "0.20"))).Must(HttpStatusCode.OK);
        (await Publish(staff, slug, Pack(slug, "1.0.1", price: "0.30"))).Must(HttpStatusCode.OK);

        first.Text("digest").ShouldBe(Folder(slug, "1.0.0").Digest);
        var shown = (await client.Call("GET", $"/v1/blocks/{slug}")).Must(HttpStatusCode.OK).Json;
        shown.GetProperty("versions").EnumerateArray().Select(version => version.Text("version")).ShouldBe(["1.1.0", "1.0.1", "1.0.0"]);
        shown.GetProperty("prices").GetProperty("applyRun").GetProperty("amount").GetString()
            .ShouldBe("0.200000", "an older version does not set the price back");
        (await Audit(slug)).ShouldBe(["1.0.0", "1.1.0", "1.0.1"]);
    }

    [Fact]
    public async Task Other_files_under_a_published_version_are_refused()
    {
        using var staff = shared.Host.Operator();
        var slug = Slug();
        (await Publish(staff, slug, Pack(slug, "1.0.0"))).Must(HttpStatusCode.OK);
        var refused = (await Publish(staff, slug, Pack(slug, "1.0.0", price: "0.20"))).Must(HttpStatusCode.UnprocessableEntity).Json;
        refused.Text("type").ShouldBe("/problems/invalid_block");
        refused.Text("detail").ShouldStartWith($"{slug}/block.yaml: version 1.0.0 was published as sha256:");
    }

    public static TheoryData<string, string> BadArchives => new()
    {
        { "text", "no tar archive in gzip" },
        { "cut", "no tar archive in gzip" },
        { "empty", "block.yaml: the file is missing" },
        { "up", "a file may not be called '../x'" },
        { "root", "a file may not be called '/etc/x'" },
        { "twice", "a file may not be called 'block.yaml', and each is there once" },
        { "below", "a file may not be called 'README.md/x'" },
        { "link", "neither a file nor a directory" },
        { "large", "or more than 4194304 bytes in all" },
        { "bomb", "more than 8290304 bytes as an archive" },
        { "directories", "more than 8290304 bytes as an archive" },
        { "attributes", "more than 8290304 bytes as an archive" },
        { "many", "more than 1000 files, or" },
        { "other", "block.yaml:1:" },
    };

    [Theory]
    [MemberData(nameof(BadArchives))]
    public async Task A_bad_archive_is_refused_and_nothing_is_published(string kind, string reason)
    {
        using var staff = shared.Host.Operator();
        var slug = Slug();
        var refused = (await Publish(staff, slug, Bad(kind, slug))).Must(HttpStatusCode.UnprocessableEntity).Json;
        refused.Text("type").ShouldBe("/problems/invalid_block");
        refused.Text("detail").ShouldContain(reason);
        (await (await shared.Host.CreateTenant()).Client.Call("GET", $"/v1/blocks/{slug}")).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_body_of_another_kind_is_refused()
    {
        using var staff = shared.Host.Operator();
        (await staff.Call("POST", $"/operator/v1/blocks/{Slug()}/versions", new { a = 1 })).Must(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task A_deprecated_version_runs_where_it_is_named_and_where_no_other_is_left()
    {
        using var staff = shared.Host.Operator();
        var client = (await shared.Host.CreateTenant()).Client;
        var slug = Slug();
        foreach (var version in new[] { "1.0.0", "1.1.0" })
        {
            (await Publish(staff, slug, Pack(slug, version))).Must(HttpStatusCode.OK);
        }

        var deprecated = (await Retire(staff, slug, "1.1.0", "deprecate")).Must(HttpStatusCode.OK).Json;
        (deprecated.Text("state"), deprecated.Text("newest")).ShouldBe(("deprecated", "1.0.0"));
        (await Retire(staff, slug, "1.1.0", "deprecate")).Must(HttpStatusCode.OK).Text.ShouldBe($"{deprecated}");
        (await Versions(client, slug)).ShouldBe(["1.1.0 deprecated", "1.0.0 published"]);
        (await Listed(client, slug)).ShouldBe(["1.0.0"]);

        (await Retire(staff, slug, "1.0.0", "deprecate")).Must(HttpStatusCode.OK).Json.Text("newest").ShouldBe("1.1.0");
        (await Listed(client, slug)).ShouldBeEmpty("nobody is to begin with it");
        (await Retire(staff, slug, "1.1.0", "withdraw")).Must(HttpStatusCode.OK).Json.Text("newest").ShouldBe("1.0.0");
        (await Retire(staff, slug, "1.1.0", "deprecate")).Must(HttpStatusCode.OK).Json.Text("state").ShouldBe("withdrawn");
        (await Retire(staff, slug, "2.0.0", "deprecate")).Must(HttpStatusCode.NotFound);
    }

    private static string Slug() => $"demo-{Guid.NewGuid():n}"[..20];

    private static Task<Answer> Publish(HttpClient staff, string slug, byte[] archive)
    {
        var body = new ByteArrayContent(archive);
        body.Headers.ContentType = new MediaTypeHeaderValue(ContentArchive.MediaType);
        return staff.Call("POST", $"/operator/v1/blocks/{slug}/versions", body);
    }

    private static Task<Answer> Retire(HttpClient staff, string slug, string version, string deed) =>
        staff.Call("POST", $"/operator/v1/blocks/{slug}/versions/{version}:{deed}", new { reason = "A better one is there." });

    private static async Task<string[]> Versions(HttpClient client, string slug) =>
        [.. (await client.Call("GET", $"/v1/blocks/{slug}")).Must(HttpStatusCode.OK).Json.GetProperty("versions").EnumerateArray()
            .Select(version => $"{version.Text("version")} {version.Text("state")}")];

    private static async Task<string[]> Listed(HttpClient client, string slug) =>
        [.. (await client.Call("GET", $"/v1/blocks?search={slug}")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Select(block => block.Text("version"))];

    private static ContentFolder Folder(string slug, string version, string price = "0.10") =>
        ContentFolder.Of(slug, [.. Files(slug, version, price)]);

    /// <summary>The smallest block.</summary>
    internal static IEnumerable<ContentFile> Files(string slug, string version, string price = "0.10", string part = "") =>
    [
        File("block.yaml", $$"""
            slug: {{slug}}
            version: {{version}}
            title: Demo
            summary: A demo.
            effect: read
            input: { type: object, additionalProperties: false }
            prices: { pay_per_use: { apply: { run: "{{price}}" } } }
            """),
        File("platforms/frr.yml", $"wanted: text\n{part}\n"),
        File("README.md", "# Demo\n"),
    ];

    private static ContentFile File(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));

    private static byte[] Pack(string slug, string version, string price = "0.10")
    {
        var archive = new MemoryStream();
        ContentArchive.Write(Folder(slug, version, price), archive);
        return archive.ToArray();
    }

    private static byte[] Bad(string kind, string slug) => kind switch
    {
        "text" => Encoding.UTF8.GetBytes("slug: demo"),
        "cut" => Pack(slug, "1.0.0")[..100],
        "empty" => Tar([File("x", "")]),
        "up" => Tar([.. Files(slug, "1.0.0"), File("../x", "")]),
        "root" => Tar([.. Files(slug, "1.0.0"), File("/etc/x", "")]),
        "twice" => Tar([.. Files(slug, "1.0.0"), File("block.yaml", "")]),
        "below" => Tar([.. Files(slug, "1.0.0"), File("README.md/x", "")]),
        "link" => Tar(
            [.. Files(slug, "1.0.0")], new PaxTarEntry(TarEntryType.SymbolicLink, "platforms/x.yml") { LinkName = "/etc/passwd" }),
        "bomb" => Tar([.. Files(slug, "1.0.0"), new ContentFile("platforms/zero", new byte[64 * 1024 * 1024])]),
        "large" => Tar([.. Files(slug, "1.0.0"), new ContentFile("platforms/zero", new byte[ContentFolder.Largest])]),
        "directories" => Tar(
            [], [.. Enumerable.Range(0, 20_000).Select(i => new UstarTarEntry(TarEntryType.Directory, $"platforms/{i}"))]),
        "attributes" => Tar(
            [], new PaxTarEntry(TarEntryType.RegularFile, "x", [new("netautomation.x", new string('x', 16 * 1024 * 1024))])),
        "many" => Tar([.. Files(slug, "1.0.0"), .. Enumerable.Range(0, 1000).Select(i => File($"platforms/{i}", ""))]),
        "other" => Tar([.. Files("other", "1.0.0")]),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static byte[] Tar(IEnumerable<ContentFile> files, params TarEntry[] more)
    {
        var archive = new MemoryStream();
        using (var zip = new GZipStream(archive, CompressionLevel.Fastest))
        using (var tar = new TarWriter(zip))
        {
            foreach (var (path, content) in files)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream(content) });
            }

            foreach (var entry in more)
            {
                tar.WriteEntry(entry);
            }
        }

        return archive.ToArray();
    }

    private async Task<string[]> Audit(string slug)
    {
        await using var source = Npgsql.NpgsqlDataSource.Create(shared.Database.Owner);
        await using var command = source.CreateCommand(
            """
            select data ->> 'version' from web.audit_event where action = 'block_version.published' and data ->> 'block' = $1 order by id
            """);
        command.Parameters.AddWithValue(slug);
        await using var reader = await command.ExecuteReaderAsync();
        var found = new List<string>();
        while (await reader.ReadAsync())
        {
            found.Add(reader.GetString(0));
        }

        return [.. found];
    }
}
