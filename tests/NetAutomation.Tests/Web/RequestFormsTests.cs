using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

/// <summary>What an operation does not take is refused, and what is written in another way is the same.</summary>
public sealed partial class RequestFormsTests(QueuedRun shared) : IClassFixture<QueuedRun>
{
    private RunFixture Fixture => shared.Fixture;

    [Fact]
    public async Task A_query_member_that_an_operation_does_not_have_is_refused_by_every_operation()
    {
        using var staff = Fixture.Host.Operator();
        var (faults, asked) = (new List<string>(), 0);
        foreach (var route in Fixture.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var listener = route.Metadata.GetMetadata<ListenerFeature>()?.Listener;
            if (listener is not (Listener.Customer or Listener.Operator))
            {
                continue;
            }

            var verb = route.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods.Single();
            var path = $"{Parameter().Replace(route.RoutePattern.RawText!, "x")}?dry_run=true";
            var answer = await (listener == Listener.Operator ? staff : Fixture.Client).Call(verb, path);
            asked++;
            if (answer.Status != HttpStatusCode.BadRequest || !answer.Faults.Contains("/dry_run unknown_member", StringComparer.Ordinal))
            {
                faults.Add($"{verb} {path}: {(int)answer.Status} {answer.Text}");
            }
        }

        faults.ShouldBeEmpty();
        asked.ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task A_refused_query_member_is_named_with_those_that_there_are()
    {
        var unknown = (await Fixture.Client.Call("GET", "/v1/devices?limt=5&selector=a")).Must(HttpStatusCode.BadRequest);
        unknown.Problem.ShouldBe("malformed_request");
        var detail = unknown.Json.GetProperty("detail").GetString()!;
        detail.ShouldContain("'limt'");
        detail.ShouldContain("limit");
        detail.ShouldContain("selector");
        (await Fixture.Client.Call("GET", "/v1/me?x=1")).Must(HttpStatusCode.BadRequest).Text.ShouldContain("It takes none.");
        (await Fixture.Client.Call("GET", "/v1/sites?limit=1&Limit=2")).Must(HttpStatusCode.BadRequest).Faults
            .ShouldBe(["/limit duplicate"]);
        (await Fixture.Client.Call("GET", "/v1/sites?limit=1&LIMIT")).Must(HttpStatusCode.BadRequest);
        (await Fixture.Client.Call("GET", "/v1/sites?LIMIT=1")).Must(HttpStatusCode.OK);
        using var stranger = Fixture.Host.Customer(Fixture.Tenant.EndpointId, "nak_unknown");
        (await stranger.GetAsync("/v1/sites?x=1")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, "nothing is told without a key");
        (await Fixture.Client.GetAsync("/healthz/live?t=1")).StatusCode.ShouldBe(HttpStatusCode.OK, "health is no operation");
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("Application/JSON", true)]
    [InlineData("application/json;charset=UTF-8", true)]
    [InlineData("application/json; profile=\"a;b\"; charset=\"utf-8\"", true)]
    [InlineData("application/merge-patch+json", true)]
    [InlineData("application/json; charset=nonsense", false)]
    [InlineData("application/json; charset=utf-16", false)]
    [InlineData("application/jsonx", false)]
    [InlineData("text/json", false)]
    [InlineData("text/csv", false)]
    [InlineData("", false)]
    public async Task A_media_type_counts_by_its_meaning(string type, bool taken)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($$"""{"name":"site-{{Guid.NewGuid():n}}"}"""));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        var answer = await Fixture.Client.Call("POST", "/v1/sites", content);
        answer.Status.ShouldBe(taken ? HttpStatusCode.Created : HttpStatusCode.UnsupportedMediaType, answer.Text);
        if (!taken)
        {
            answer.Json.GetProperty("detail").GetString()!.ShouldContain("application/json");
            answer.Json.GetProperty("title").GetString()!.ShouldNotContain("json");
        }
    }

    [Theory]
    [InlineData("text/csv", 200)]
    [InlineData("Text/CSV", 200)]
    [InlineData("text/csv; header=present; charset=UTF-8", 200)]
    [InlineData("text/csv; charset=iso-8859-1", 415)]
    [InlineData("text/csvx", 415)]
    public async Task A_media_type_of_an_import_counts_by_its_meaning(string type, int status)
    {
        using var content = new ByteArrayContent("name,labels\nr001,role=edge\n"u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        var answer = (await Fixture.Client.Call("POST", "/v1/devices:import?dryRun=true", content)).Must((HttpStatusCode)status);
        if (status == 415)
        {
            answer.Json.GetProperty("detail").GetString()!.ShouldContain("text/csv");
        }
    }

    [Fact]
    public async Task An_idempotency_key_is_the_same_with_and_without_quotation_marks()
    {
        var tenant = await Fixture.Host.CreateTenant();
        foreach (var (first, second) in new[]
        {
            ("test-of-a-key-0001", "\"test-of-a-key-0001\""), ("\"test-of-a-key-0002, or two\"", "\"test-of-a-key-0002, or two\""),
            ("\"test-of-a-\\\"key\\\\-0003\"", "test-of-a-\"key\\-0003"),
        })
        {
            var name = $"site-{Guid.NewGuid():n}";
            var (one, again) = (await Site(tenant.Client, first, name), await Site(tenant.Client, second, name));
            one.Answer.Must(HttpStatusCode.Created);
            again.Answer.Must(HttpStatusCode.Created).Id.ShouldBe(one.Answer.Id, $"{first} and {second}");
            (one.Replayed, again.Replayed).ShouldBe((false, true));
        }

        foreach (
            var bad in new[] {
                "test-of-a-key-0004, test-of-a-key-0005", "\"test-of-a-key-0006", "\"test-of-a-key-0007\"; a=1", "\"test-of-a-\\key-0008\"",
                "\"test-of-a-key-0009\", \"test-of-a-key-0010\"" })
        {
            (await Site(tenant.Client, bad)).Answer.Must(HttpStatusCode.BadRequest).Problem.ShouldBe("malformed_request", bad);
        }

        foreach (var bad in new[] { "\"fifteen-letters\"", $"\"{new string('k', 256)}\"", "short" })
        {
            (await Site(tenant.Client, bad)).Answer.Must(HttpStatusCode.BadRequest).Problem.ShouldBe("idempotency_key_required", bad);
        }
    }

    [Fact]
    public async Task Two_idempotency_keys_are_refused()
    {
        await using var plain = await ProxyV2.Connect(
            Fixture.Host.Address(Listener.Customer), ProxyV2.Header(Fixture.Tenant.EndpointId), CancellationToken.None);
        await using var tls = new SslStream(plain);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = Fixture.Host.Certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(Fixture.Host.Certificate),
        });
        const string body = """{"name":"twice"}""";
        await tls.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/sites HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {Fixture.Tenant.Key}\r\n"
            + "Idempotency-Key: test-of-two-keys-01\r\nIdempotency-Key: test-of-two-keys-02\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        using var reader = new StreamReader(tls);
        var answer = await reader.ReadToEndAsync();
        answer.ShouldStartWith("HTTP/1.1 400");
        answer.ShouldContain("Idempotency-Key is given twice.");
        (await Fixture.Scalar<long>("select count(*) from inventory.site where name = 'twice'")).ShouldBe(0);
    }

    [Fact]
    public async Task An_integer_is_one_however_it_is_written()
    {
        var hashes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (distance, seconds) in new[] { ("100", "600"), ("100.0", "6e2"), ("1e2", "600.0"), ("1.00E+2", "6.0e2") })
        {
            var quote = (await Quote($$"""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","distance":{{distance}}}""", seconds))
                .Must(HttpStatusCode.Created);
            hashes.Add(quote.Json.GetProperty("inputHash").GetString()!);
        }

        hashes.Count.ShouldBe(1);
        (await Quote("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","distance":1.5}""", "600")).Must(HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/input/routes/0/distance type"]);
        foreach (var bad in new[] { "600.5", "6e20", "1e-1", "\"600\"" })
        {
            (await Quote("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}""", bad)).Must(HttpStatusCode.BadRequest)
                .Faults.ShouldBe(["/timeoutSeconds unreadable"], bad);
        }

        var run = await Fixture.StartRun(JsonElement.Parse(
            """
            {"block":"static-routes","mode":"check","targets":{"all":true},
              "input":{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","distance":1e1}]}}
            """));
        (await Fixture.Client.Call("GET", $"/v1/runs/{run}")).Json.GetProperty("input").GetProperty("routes")[0].GetProperty("distance")
            .GetRawText().ShouldBe("10");
    }

    [Theory]
    [InlineData("""{"block":"a","block":"b"}""", "/block")]
    [InlineData("""{"block":"a","targets":{"selector":"a","selector":"b"}}""", "/targets/selector")]
    [InlineData("""{"block":"a","labels":{"a/b":"1","c":"2","a/b":"3"}}""", "/labels/a~1b")]
    [InlineData("""{"block":"a","labels":{"a.b":5}}""", "/labels/a.b")]
    [InlineData("""{"block":"a","input":{"distance":1,"distance":2}}""", "/input/distance")]
    [InlineData("""{"block":"a","input":{"routes":[{"distance":1},{"a.b/c":[],"a.b\/c":2}]}}""", "/input/routes/1/a.b~1c")]
    [InlineData("""{"block":"a","maxPrice":{"amount":"1","amount":"2","currency":"USD"}}""", "/maxPrice/amount")]
    [InlineData("""{"block":"a","targets":{"a b":1}}""", "/targets/a b")]
    [InlineData("""{"block":"a","rollout":{"maxFailures":1}}""", "/rollout/batchSize")]
    public async Task A_pointer_names_the_member_that_is_meant(string body, string pointer)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        (await Fixture.Client.Call("POST", "/v1/quotes", content)).Must(HttpStatusCode.BadRequest).Json.GetProperty("errors")
            .EnumerateArray().Select(error => error.GetProperty("pointer").GetString()).ShouldBe([pointer]);
    }

    private Task<Answer> Quote(string route, string seconds) => Fixture.Client.Call("POST", "/v1/quotes", new StringContent(
        $$"""
        {"block":"static-routes","mode":"apply","targets":{"all":true},"input":{"routes":[{{route}}]},"timeoutSeconds":{{seconds}} }
        """,
        Encoding.UTF8, "application/json"));

    private static async Task<(Answer Answer, bool Replayed)> Site(HttpClient client, string key, string name = "keyed")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/sites");
        request.Content = new StringContent($$"""{"name":"{{name}}"}""", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return (new Answer(answer.StatusCode, text, null, null), answer.Headers.Contains("Idempotency-Replayed"));
    }

    [GeneratedRegex(@"\{\w+\}", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Parameter();
}
