using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Connectors;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;
using Npgsql;

namespace NetAutomation.Tests.Connectors;

public sealed class ConnectorApiTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly SiteId _site = SiteId.New();
    private readonly DirectoryInfo _releases = Directory.CreateTempSubdirectory("releases-");
    private Caller _caller = new(
        TenantId.New(), ApiKeyId.New(), MemberId.New(), "test", MemberRole.Admin, "vpce-0123456789abcdef0", false);
    private string _owner = "";
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        var database = await postgres.Create();
        _owner = database.Owner;
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Database:App"] = database.App,
            ["Database:System"] = database.System,
            ["Connectors:Listener"] = "",
            ["Connectors:ReleasesDirectory"] = _releases.FullName,
            ["Serilog:MinimumLevel"] = "Fatal",
        });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddWeb();
        builder.AddTelemetry();
        builder.AddPersistence();
        builder.AddConnectors();
        builder.Services.AddScoped(_ => _caller);
        builder.Services.AddSingleton(new ServerCertificate(ConnectorPair.Certificate, [], ConnectorPair.ServerName, ConnectorPair.CaPem));
        builder.Services.AddSingleton<BoundedTransport>(_ => server => ActivatorUtilities.CreateInstance<SocketTransportFactory>(server));
        builder.Services.AddSingleton<EndpointTransport>(_ => { });
        builder.Services.AddSingleton(new PeerListener("", _ => { }, () => Task.FromResult<string?>(null)));
        _app = builder.Build();
        _app.Use((context, next) =>
        {
            context.Features.Set(new ListenerFeature(Listener.Customer));
            return next(context);
        });
        _app.UseWeb();
        _app.MapApi().MapConnectors();
        await _app.StartAsync();
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        await using var site = owner.CreateCommand("insert into inventory.site (tenant_id, id, name, version) values ($1, $2, 'ams', 1)");
        site.Parameters.Add(new() { Value = _caller.Tenant.Value });
        site.Parameters.Add(new() { Value = _site.Value });
        await site.ExecuteNonQueryAsync();
        _http =
            new HttpClient
            {
                BaseAddress =
                    new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single())
            };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        _releases.Delete(recursive: true);
    }

    [Fact]
    public async Task Created_connector_shows_its_token_once_and_is_pending()
    {
        var created = await Create("edge");
        var id = (string)created["id"]!;
        ((string)created["joinToken"]!).ShouldStartWith("njt_");
        ((string)created["installCommand"]!).ShouldNotContain((string)created["joinToken"]!);
        ((string)created["serverName"]!, (int)created["port"]!).ShouldBe((ConnectorPair.ServerName, 8444));
        var shown = JsonNode.Parse(await _http.GetStringAsync($"/v1/connectors/{id}"))!;
        ((string)shown["state"]!, shown["sessions"]!.AsArray().Count, shown.ToJsonString().Contains("njt_", StringComparison.Ordinal))
            .ShouldBe(("pending", 0, false));
        var list = JsonNode.Parse(await _http.GetStringAsync("/v1/connectors"))!;
        list["items"]!.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task Name_is_unique_until_the_connector_is_revoked()
    {
        var created = await Create("edge");
        (await Post("edge")).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await Delete((string)created["id"]!, "\"1\"")).ShouldBe(HttpStatusCode.NoContent);
        (await Post("edge")).StatusCode.ShouldBe(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Revoking_wants_the_current_etag()
    {
        var id = (string)(await Create("edge"))["id"]!;
        (await Delete(id, null)).ShouldBe((HttpStatusCode)428);
        (await Delete(id, "\"7\"")).ShouldBe(HttpStatusCode.PreconditionFailed);
        (await Delete(id, "\"1\"")).ShouldBe(HttpStatusCode.NoContent);
        ((string)JsonNode.Parse(await _http.GetStringAsync($"/v1/connectors/{id}"))!["state"]!).ShouldBe("revoked");
    }

    [Fact]
    public async Task Connector_of_another_tenant_is_not_there()
    {
        var id = (string)(await Create("edge"))["id"]!;
        _caller = _caller with { Tenant = TenantId.New() };
        (await _http.GetAsync($"/v1/connectors/{id}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await Delete(id, "\"1\"")).ShouldBe(HttpStatusCode.NotFound);
        (await _http.GetAsync("/v1/connectors/con_nonsense")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Site_of_nobody_or_of_another_tenant_is_refused_alike()
    {
        (await Post("edge", SiteId.New())).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        _caller = _caller with { Tenant = TenantId.New() };
        (await Post("edge")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task Operator_key_cannot_enrol()
    {
        _caller = _caller with { Role = MemberRole.Operator };
        (await Post("edge")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Release_is_served_with_its_digest_and_no_path_leads_elsewhere()
    {
        var folder = _releases.CreateSubdirectory("1.2.3/linux-x64");
        var bytes = RandomNumberGenerator.GetBytes(100_000);
        await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "netautomation-connector"), bytes);
        using var response = await _http.GetAsync("/v1/connector-releases/1.2.3/linux-x64");
        (await response.Content.ReadAsByteArrayAsync()).ShouldBe(bytes);
        response.Headers.GetValues("Repr-Digest").Single().ShouldBe($"sha-256=:{Convert.ToBase64String(SHA256.HashData(bytes))}:");
        foreach (
            var path in new[] {
                "1.2.4/linux-x64", "1.2.3/linux-arm64", "..%2F1.2.3/linux-x64", "1.2.3/..%2Flinux-x64", "1.2.3/%2Fetc",
                "%2e%2e/linux-x64" })
        {
            (await _http.GetAsync($"/v1/connector-releases/{path}")).StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
        }
    }

    [Fact]
    public async Task Connector_that_is_older_than_the_newest_release_shows_it()
    {
        var id = (string)(await Create("edge"))["id"]!;
        foreach (var version in new[] { "0.9.0", "0.10.0", "0.11.0" })
        {
            await File.WriteAllTextAsync(
                Path.Combine(
                    _releases.CreateSubdirectory($"{version}/linux-x64").FullName,
                    version == "0.11.0" ? "unfinished" : "netautomation-connector"), "");
        }

        (await UpdateTo()).ShouldBeNull();
        await SetVersion("0.9.0");
        (await UpdateTo()).ShouldBe("0.10.0");
        await SetVersion("0.10.0");
        (await UpdateTo()).ShouldBeNull();

        async Task<string?> UpdateTo() => (string?)JsonNode.Parse(await _http.GetStringAsync($"/v1/connectors/{id}"))!["updateTo"];
        async Task SetVersion(string version)
        {
            await using var owner = NpgsqlDataSource.Create(_owner);
            await using var update = owner.CreateCommand("update connectors.connector set version = $1");
            update.Parameters.Add(new() { Value = version });
            await update.ExecuteNonQueryAsync();
        }
    }

    private async Task<JsonNode> Create(string name)
    {
        using var response = await Post(name);
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(HttpStatusCode.Created, text);
        return JsonNode.Parse(text)!;
    }

    private Task<HttpResponseMessage> Post(string name, SiteId? site = null) =>
        _http.PostAsJsonAsync("/v1/connectors", new { name, siteId = $"{site ?? _site}" });

    private async Task<HttpStatusCode> Delete(string id, string? etag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/v1/connectors/{id}");
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        using var response = await _http.SendAsync(request);
        return response.StatusCode;
    }
}
