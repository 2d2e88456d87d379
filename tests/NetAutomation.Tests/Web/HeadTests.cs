using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

public sealed class HeadTests(PostgresServer postgres, QueuedRun shared) : IClassFixture<QueuedRun>
{
    private const string Curl = "/usr/bin/curl";

    // The length and the framing of a body need not be known without it (RFC 9110, section 9.3.2).
    private static readonly string[] _free = ["Date", "Transfer-Encoding", "Content-Length"];
    private static readonly TimeSpan _atOnce = TimeSpan.FromSeconds(20);

    private ServiceHost Host => shared.Fixture.Host;

    [Fact]
    public async Task Head_of_every_resource_has_the_status_and_headers_of_get_and_no_body()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var operations = await ApiOperation.All(fixture.Client);
        var tenant = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        using var second = fixture.Host.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key, http2: true);
        var (faults, asked) = (new List<string>(), 0);
        foreach (var operation in operations.Where(each => each.Verb == "GET"))
        {
            var path = operation.At(name => name switch
            {
                "block" => "static-routes",
                "version" => "1.0.0",
                "rid" => "linux-x64",
                "name" => FullTenant.Artifact,
                _ => tenant.PathId(operation, name),
            });
            foreach (var client in new[] { fixture.Client, second })
            {
                asked++;
                faults.AddRange((await Differences(client, path)).Select(fault => $"{path}: {fault}"));
            }
        }

        faults.ShouldBeEmpty();
        asked.ShouldBeGreaterThan(60);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Head_of_what_streams_or_waits_is_answered_at_once(bool http2)
    {
        var fixture = shared.Fixture;
        var run = (await RunFixture.Get(fixture.Client, "/v1/runs"))["items"]![0]!["id"]!.GetValue<string>();
        using var client = Host.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key, http2);
        var news = (await RunFixture.Get(fixture.Client, "/v1/feed?after=now"))["next"]!.GetValue<string>();
        foreach (var (path, accept, type) in new[]
        {
            ($"/v1/runs/{run}/events", "text/event-stream", "text/event-stream"),
            ($"/v1/runs/{run}/events", "Text/Event-Stream;q=0.5", "text/event-stream"),
            ($"/v1/runs/{run}?wait=60", "application/json", "application/json"),
            ($"/v1/feed?wait=60&after={news}", "application/json", "application/json"),
            ("/v1/export", "*/*", "application/x-ndjson"),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, path);
            request.Headers.TryAddWithoutValidation("Accept", accept);
            var (answer, body) = await Send(client, request);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, path);
            answer.Content.Headers.ContentType!.MediaType.ShouldBe(type, path);
            body.ShouldBeEmpty(path);
        }
    }

    [Fact]
    public async Task Head_of_a_range_is_the_whole_resource()
    {
        var run = (await RunFixture.Get(shared.Fixture.Client, "/v1/runs"))["items"]![0]!["id"]!.GetValue<string>();
        using var request = new HttpRequestMessage(HttpMethod.Head, $"/v1/runs/{run}/log");
        request.Headers.Range = new RangeHeaderValue(0, 1);
        var (answer, _) = await Send(shared.Fixture.Client, request);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentLength.ShouldNotBeNull().ShouldBeGreaterThan(2);
    }

    [Fact]
    public async Task Head_of_health_works_on_every_listener()
    {
        using var local = Host.ClientOf(Listener.Customer, ProxyV2.Local, null);
        using var connector = Host.ClientOf(Listener.Connector, ProxyV2.Local, null);
        foreach (var client in new[] { local, connector, Host.Operator(), Host.Browser() })
        {
            foreach (var path in new[] { "/healthz/live", "/healthz/ready" })
            {
                (await Differences(client, path)).ShouldBeEmpty();
            }
        }

        using var request = new HttpRequestMessage(HttpMethod.Head, "/marketplace/registration");
        (await Send(Host.Browser(), request)).Answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("--http1.1")]
    [InlineData("--http2")]
    public async Task Curl_gets_the_headers_of_answers_and_refusals(string version)
    {
        Assert.SkipUnless(File.Exists(Curl), "Needs curl.");
        var authority = Path.GetTempFileName();
        await File.WriteAllTextAsync(authority, Host.Certificate.CaPem);
        try
        {
            var (name, port) = (Host.Certificate.ServerName, Host.Address(Listener.Operator).Port);
            string[] paths = ["/healthz/ready", "/operator/v1/tenants", "/operator/v1/nothing-here", "/operator/v1/tenants?limit=x"];
            using var curl = Process.Start(new ProcessStartInfo(
                Curl,
                [
                    "-sS", "-I", version, "--noproxy", "*", "--cacert", authority, "--resolve", $"{name}:{port}:127.0.0.1",
                    "-H", $"Authorization: {Host.Operator().DefaultRequestHeaders.Authorization}",
                    .. paths.Select(path => $"https://{name}:{port}{path}"),
                ])
            { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var (output, errors) = (curl.StandardOutput.ReadToEndAsync(), curl.StandardError.ReadToEndAsync());
            await curl.WaitForExitAsync();
            (curl.ExitCode, await errors).ShouldBe((0, ""));
            (await output).Split('\n').Where(line => line.StartsWith("HTTP/", StringComparison.Ordinal))
                .Select(line => line.Split(' ')[1]).ShouldBe(["200", "200", "404", "400"]);
        }
        finally
        {
            File.Delete(authority);
        }
    }

    [Fact]
    public async Task Head_of_what_has_no_get_is_refused_without_a_body()
    {
        using var client = Host.Customer(shared.Fixture.Tenant.EndpointId, shared.Fixture.Tenant.Key, http2: true);
        using var request = new HttpRequestMessage(HttpMethod.Head, "/v1/runs:batch");
        var (answer, body) = await Send(client, request);
        answer.StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
        body.ShouldBeEmpty();
    }

    private static async Task<IReadOnlyList<string>> Differences(HttpClient client, string path)
    {
        using var asked = new HttpRequestMessage(HttpMethod.Get, path);
        using var head = new HttpRequestMessage(HttpMethod.Head, path);
        var (get, whole) = await Send(client, asked);
        var (answer, body) = await Send(client, head);
        var faults = new List<string>();
        if (answer.StatusCode != get.StatusCode)
        {
            faults.Add($"{answer.StatusCode} for {get.StatusCode}");
        }

        if (body.Length > 0)
        {
            faults.Add($"{body.Length} bytes of body");
        }

        // ContentLength itself would count the empty body where there is no such header.
        if (answer.Content.Headers.NonValidated.TryGetValues("Content-Length", out var length) && $"{length}" != $"{whole.Length}")
        {
            faults.Add($"length {length} for {whole.Length}");
        }

        var (mine, theirs) = (Headers(answer), Headers(get));
        faults.AddRange(mine.Except(theirs).Select(header => $"has {header}"));
        faults.AddRange(theirs.Except(mine).Select(header => $"lacks {header}"));
        return faults;
    }

    private static IReadOnlyList<string> Headers(HttpResponseMessage answer) =>
        [.. answer.Headers.Concat(answer.Content.Headers).Where(header => !_free.Contains(header.Key, StringComparer.OrdinalIgnoreCase))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}")];

    private static async Task<(HttpResponseMessage Answer, byte[] Body)> Send(HttpClient client, HttpRequestMessage request)
    {
        using var patience = new CancellationTokenSource(_atOnce);
        (request.Version, request.VersionPolicy) = (client.DefaultRequestVersion, client.DefaultVersionPolicy);
        var answer = await client.SendAsync(request, patience.Token);
        return (answer, await answer.Content.ReadAsByteArrayAsync(patience.Token));
    }
}
