using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Connectors.Peers;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

public sealed class PeerTokenTests(PostgresServer postgres)
{
    [Fact]
    public async Task Only_an_untouched_token_for_this_path_and_replica_is_taken()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var key = fixture.B.Services.GetRequiredService<ClusterKey>();
        var dial = fixture.A.Dial(fixture.Device);
        var call = PeerCall.Of(PeerCall.DialsPath, fixture.Relay.Url, dial, TimeSpan.FromSeconds(5));
        (await Post(fixture, key.Sign(call))).Status.ShouldBe(HttpStatusCode.OK);
        (await Post(fixture, "")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, "eyJ9.AAAA")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, "%.%")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, key.Sign(call with { Path = PeerCall.PermitsPath }))).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, key.Sign(call with { To = "https://10.0.0.1:9444" }))).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, Altered(key.Sign(call), "tenant", $"{Guid.NewGuid()}"))).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, Altered(key.Sign(call), "device", $"{Guid.NewGuid()}"))).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await Post(fixture, Altered(key.Sign(call), "host", "10.9.9.9"))).Status.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Token_of_another_cluster_key_is_refused()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var file = Path.Combine(fixture.A.Folder.FullName, "other.key");
        await File.WriteAllTextAsync(file, Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));
        var options = new PeerOptions { Url = fixture.Relay.Url, ClusterKeyFile = file };
        var forged = new ClusterKey(Options.Create(options), TimeProvider.System);
        (await Post(
            fixture,
            forged.Sign(
                PeerCall.Of(PeerCall.DialsPath, fixture.Relay.Url, fixture.A.Dial(fixture.Device), TimeSpan.FromSeconds(5))))).Status
            .ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Token_is_good_for_thirty_seconds()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var key = new ClusterKey(fixture.B.Services.GetRequiredService<IOptions<PeerOptions>>(), clock);
        var call = PeerCall.Of(PeerCall.DialsPath, fixture.Relay.Url, fixture.A.Dial(fixture.Device), TimeSpan.FromSeconds(5));
        var token = key.Sign(call);
        clock.Advance(TimeSpan.FromSeconds(29));
        key.Open(token, call.Path, call.To).ShouldNotBeNull();
        clock.Advance(TimeSpan.FromSeconds(2));
        key.Open(token, call.Path, call.To).ShouldBeNull();
        // Issued by a clock that is far ahead.
        clock.Advance(TimeSpan.FromMinutes(10));
        (await Post(fixture, key.Sign(call))).Status.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Token_of_another_tenant_reaches_no_link_of_this_one()
    {
        await using var fixture = await PeerFixture.Start(postgres);
        await fixture.A.Attach(fixture.Device.Allowed);
        var dial = fixture.A.Dial(fixture.Device) with { Tenant = TenantId.New() };
        var answer =
            await Post(
                fixture,
                fixture.B.Services.GetRequiredService<ClusterKey>()
                    .Sign(PeerCall.Of(PeerCall.DialsPath, fixture.Relay.Url, dial, TimeSpan.FromSeconds(5))));
        answer.ShouldBe((HttpStatusCode.BadGateway, DialCodes.ConnectorAbsent));
    }

    [Fact]
    public void Cluster_key_must_be_long_and_its_owners_alone()
    {
        var folder = Directory.CreateTempSubdirectory("peer-");
        var file = Path.Combine(folder.FullName, "key");
        var options = new PeerOptions { Url = "https://127.0.0.1:9444", ClusterKeyFile = file };
        options.Validate(new(options)).Single().ErrorMessage!.ShouldContain("not there");
        File.WriteAllText(file, new string('k', 32));
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        options.Validate(new(options)).Single().ErrorMessage!.ShouldContain("0600");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        options.Validate(new(options)).ShouldBeEmpty();
        File.WriteAllText(file, "short");
        options.Validate(new(options)).Single().ErrorMessage!.ShouldContain("32");
        options.ClusterKeyFile = "";
        options.Validate(new(options)).Single().ErrorMessage!.ShouldContain("belong together");
        folder.Delete(recursive: true);
    }

    private static async Task<(HttpStatusCode Status, string? Code)> Post(PeerFixture fixture, string token)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions =
                { CertificateChainPolicy =
                    ServiceHost.Trust(new(ConnectorPair.Certificate, [], ConnectorPair.ServerName, ConnectorPair.CaPem)) },
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, fixture.Relay.Url + PeerCall.DialsPath)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { Host = ConnectorPair.ServerName },
        };
        request.Headers.TryAddWithoutValidation(PeerCall.Header, token);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (response.StatusCode, response.Headers.TryGetValues(PeerCall.CodeHeader, out var codes) ? codes.Single() : null);
    }

    private static string Altered(string token, string member, string value)
    {
        var parts = token.Split('.');
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[0]))!;
        claims[member].ShouldNotBeNull();
        claims[member] = value;
        return $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()))}.{parts[1]}";
    }
}
