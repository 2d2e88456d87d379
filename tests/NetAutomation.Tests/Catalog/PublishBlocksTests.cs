using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Catalog;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Catalog;

public sealed class PublishBlocksTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-blocks-");
    private TestDatabase _database = null!;

    public async ValueTask InitializeAsync() => _database = await postgres.CreateEmpty();

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Publishing_twice_changes_nothing()
    {
        Write("1.0.0", "0.10");
        await Publish();
        await Publish();
        (await Count("catalog.block_version")).ShouldBe(1);
        (await Count("content.file join catalog.block_version using (digest)")).ShouldBe(3);
        (await Count("billing.price_version where sku = 'demo/apply/run'")).ShouldBe(1);
    }

    [Fact]
    public async Task Two_processes_may_publish_at_once()
    {
        Write("1.0.0", "0.10");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Publish()));
        (await Count("catalog.block_version")).ShouldBe(1);
    }

    [Fact]
    public async Task Other_content_under_a_published_version_is_refused_and_the_version_stays()
    {
        Write("1.0.0", "0.10");
        await Publish();
        File.AppendAllText($"{_folder.FullName}/demo/platforms/frr.yml", "# more\n");
        (await Publish()).ShouldHaveSingleItem().ShouldStartWith("demo/block.yaml: version 1.0.0 was published as sha256:");
        (await Count("content.file join catalog.block_version using (digest)")).ShouldBe(3);
    }

    [Fact]
    public async Task A_broken_folder_is_refused_alone_and_published_versions_are_still_found()
    {
        Write("1.0.0", "0.10");
        await Publish();
        Write("1.1.0", "0.10");
        File.AppendAllText($"{_folder.FullName}/demo/block.yaml", "\nsecret: x\n");
        _folder.CreateSubdirectory("empty");

        (await Publish()).ShouldBe(
        [
            "demo/block.yaml:8: The JSON property 'secret' could not be mapped to any .NET member contained in type "
                + "'NetAutomation.Catalog.Publish.BlockManifest'.",
            "empty/block.yaml: the file is missing",
        ]);
        (await Find(null)).ShouldBe("1.0.0");
    }

    [Fact]
    public async Task A_folder_with_a_link_to_a_directory_is_refused()
    {
        Write("1.0.0", "0.10");
        File.CreateSymbolicLink($"{_folder.FullName}/demo/more", "/etc");
        (await Publish()).ShouldBe(["demo/more: neither a file nor a directory"]);
        (await Count("catalog.block_version")).ShouldBe(0);
    }

    [Fact]
    public async Task Version_content_cannot_be_changed_even_by_the_owner()
    {
        Write("1.0.0", "0.10");
        await Publish();
        await using var owner = NpgsqlDataSource.Create(_database.Owner);
        foreach (var sql in new[]
        {
            "update catalog.block_version set digest = 'sha256:' || repeat('0', 64)",
            "update catalog.block_version set input_schema = '{}'",
            "update catalog.block_version set effect = 'unsafe'", "delete from catalog.block_version",
            "update content.file set content = ''",
            "delete from content.file", "truncate content.file", "delete from catalog.block", "truncate catalog.block cascade",
        })
        {
            await using var command = owner.CreateCommand(sql);
            (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).SqlState.ShouldBe("23001", sql);
        }
    }

    [Fact]
    public async Task Tenants_cannot_write_the_catalogue()
    {
        await using var app = NpgsqlDataSource.Create(_database.App);
        foreach (
            var sql in new[] {
                "insert into catalog.block values ('x-y', gen_random_uuid())", "update catalog.block_version set state = 'withdrawn'",
                "delete from content.file", "insert into platforms.platform_version (name) values ('x')" })
        {
            await using var command = app.CreateCommand(sql);
            (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).SqlState.ShouldBe(
                PostgresErrorCodes.InsufficientPrivilege);
        }
    }

    [Fact]
    public async Task Older_replica_does_not_set_the_price_back()
    {
        Write("1.1.0", "0.20");
        await Publish();
        Write("1.0.0", "0.10");
        await Publish();
        await using var db = App();
        (await PriceList.Current(db, "demo", CancellationToken.None))!.ApplyRun.ShouldBe(new Money(200_000));
    }

    [Fact]
    public async Task Version_is_found_exactly_by_major_or_as_the_newest()
    {
        foreach (var version in new[] { "1.2.0", "1.10.0", "2.0.0", "2.1.0" })
        {
            Write(version, "0.10");
            await Publish();
        }

        await Execute("update catalog.block_version set state = 'withdrawn' where version = '2.1.0'");
        (await Find("1.2.0")).ShouldBe("1.2.0");
        (await Find("1")).ShouldBe("1.10.0");
        (await Find(null)).ShouldBe("2.0.0");
        (await Find(null, major: 1)).ShouldBe("1.10.0");
        (await Find("2.1.0")).ShouldBe("version_withdrawn /version");
        (await Find("1.3.0")).ShouldBe("validation_failed /version");
        (await Find("3")).ShouldBe("validation_failed /version");
        (await Find("latest")).ShouldBe("validation_failed /version");
        (await Find(null, slug: "none")).ShouldBe("validation_failed /block");
    }

    [Fact]
    public async Task Replaced_version_still_runs_from_its_own_files()
    {
        Write("1.0.0", "0.10");
        await Publish();
        Write("2.0.0", "0.10", "# second");
        await Publish();
        _folder.GetDirectories("demo")[0].Delete(recursive: true);
        using var files = new PublishedFiles(Options.Create(new ContentOptions()));
        await using var db = App();
        var first = (await new BlockCatalog(files).Find(db, "demo", "1.0.0")).Value;
        File.ReadAllText($"{first.Directory}/platforms/frr.yml").ShouldNotContain("second");
        var second = (await new BlockCatalog(files).Find(db, "demo", "2")).Value;
        File.ReadAllText($"{second.Directory}/platforms/frr.yml").ShouldContain("second");
        ContentFolder.Read(second.Directory).Digest.ShouldBe(second.Digest);
    }

    [Fact]
    public async Task Unpacked_files_are_closed_to_other_users_until_they_are_asked_for_all()
    {
        Write("1.0.0", "0.10");
        await Publish();
        using var files = new PublishedFiles(Options.Create(new ContentOptions()));
        using var again = new PublishedFiles(Options.Create(new ContentOptions { ContentDirectory = files.Root }));
        await using var db = App();
        var block = (await new BlockCatalog(files).Find(db, "demo", "1.0.0")).Value;
        (Others(files.Root), Others(block.Directory)).ShouldBe((UnixFileMode.OtherExecute, UnixFileMode.None));

        await again.Unpacked(db, block.Digest, TestContext.Current.CancellationToken, forAll: true);

        var open = UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        (Others(block.Directory), Others($"{block.Directory}/platforms")).ShouldBe((open, open));
        Others($"{block.Directory}/platforms/frr.yml").ShouldBe(UnixFileMode.OtherRead);
        Others(files.Root).ShouldBe(UnixFileMode.OtherExecute);

        static UnixFileMode Others(string path) => File.GetUnixFileMode(path) & (UnixFileMode)0b111;
    }

    private async Task<string> Find(string? version, int? major = null, string slug = "demo")
    {
        using var files = new PublishedFiles(Options.Create(new ContentOptions()));
        await using var db = App();
        return (await new BlockCatalog(files).Find(db, slug, version, major)).Refused(out var problem, out var found)
            ? $"{problem.Type.Code} {problem.Errors![0].Pointer}"
            : found.Version;
    }

    private void Write(string version, string price, string part = "")
    {
        foreach (var (path, content) in PublishVersionTests.Files("demo", version, price, part))
        {
            var file = new FileInfo($"{_folder.FullName}/demo/{path}");
            file.Directory!.Create();
            File.WriteAllBytes(file.FullName, content);
        }
    }

    private Task<IReadOnlyList<string>> Publish() => PostgresServer.Publish(_database, _folder.FullName);

    private NetAutomationDb App() =>
        new(new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(_database.App).UseSnakeCaseNamingConvention()
            .AddInterceptors(DeferredStatements.Interceptor).Options);

    private async Task Execute(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_database.Owner);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> Count(string from)
    {
        await using var source = NpgsqlDataSource.Create(_database.Owner);
        await using var command = source.CreateCommand($"select count(*) from {from}");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
