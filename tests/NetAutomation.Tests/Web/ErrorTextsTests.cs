using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

public sealed class ErrorTextsTests(QueuedRun shared) : IClassFixture<QueuedRun>
{
    private static readonly string[] _foreign =
    [
        "microsoft", "system.", "netautomation.", ".net ", "nullable", "parameter", "implicit", "inferred", "reader", "serializ",
        "converter", "linenumber", "byteposition", "path: $", "exception", "constructor", "annotation", "property", "token",
        "isfinalblock", "depth of", "content type", "charset", "encoding", "no openapi document", "int32", "boolean", "datetime",
    ];

    private static readonly (string Verb, string Path)[] _bodies =
    [
        ("POST", "/v1/sites"), ("POST", "/v1/devices"), ("POST", "/v1/runs"), ("POST", "/v1/schedules"), ("POST", "/v1/purchases"),
        ("PUT", "/v1/budget"), ("PATCH", "/v1/sites/sit_00000000000000000000000001"), ("POST", "/v1/credentials"),
        ("POST", "/operator/v1/prices"), ("PUT", "/operator/v1/acceptance-policies"),
    ];

    private static readonly string[] _objects =
    [
        """{"surprise":1}""", "{}", """{"name":null}""", """{"name":7}""", """{"name":"a","name":"b"}""", """{"name":"\u0000"}""",
        """{"name":"\ud800"}""", """{"input":{"a":1,"a":2}}""", """{"targets":{"all":"yes"}}""",
        """{"targets":{"deviceIds":[null]}}""", """{"port":1.5}""", """{"rules":[null]}""", """{"rules":[{"surprise":1}]}""",
        """{"labels":{"a":null}}""", """{"mode":"sideways"}""", """{"startBy":"noon"}""",
        """{"maxPrice":{"amount":"1"}}""", """{"enabled":"yes"}""",
        string.Concat(Enumerable.Repeat("{\"a\":", 40)) + "1" + new string('}', 40),
    ];

    [Fact]
    public async Task No_text_of_a_framework_reaches_a_caller()
    {
        var fixture = shared.Fixture;
        using var staff = fixture.Host.Operator();
        HttpClient At(string path) => path.StartsWith("/operator", StringComparison.Ordinal) ? staff : fixture.Client;
        var faults = new List<string>();
        foreach (var (verb, path) in _bodies)
        {
            foreach (var body in Hostile.Bodies.Concat(_objects.Select(each => Encoding.UTF8.GetBytes(each))))
            {
                faults.AddRange(await Try(At(path), verb, path, body, "application/json"));
            }

            foreach (var type in Hostile.Types.Append("application/json; charset=nonsense").Append(""))
            {
                faults.AddRange(await Try(At(path), verb, path, "{}"u8.ToArray(), type));
            }

            faults.AddRange(await Try(At(path), verb, path, null, ""));
        }

        foreach (
            var path in new[] {
                "/v1/sites?limit=abc", "/v1/sites?limit=99999999999", "/v1/runs?createdAfter=x", "/v1/feed?wait=1.5",
                "/v1/receipts?after=x", "/operator/v1/endpoint-connections?waiting=x", "/operator/v1/prices?limit=x",
                "/v1/sites?surprise=1", "/v1/nothing-here", "/openapi/v2.json", "/problems/none", "/v1/runs/x/events?after=y" })
        {
            faults.AddRange(await Try(At(path), "GET", path, null, ""));
        }

        faults.AddRange(await Try(fixture.Client, "POST", "/v1/devices:import?dryRun=maybe", "name\na\n"u8.ToArray(), "text/csv"));
        faults.AddRange(await Try(fixture.Client, "PUT", "/v1/sites", "{}"u8.ToArray(), "application/json"));
        faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_query_member_that_cannot_be_read_is_named_with_what_it_takes()
    {
        var client = shared.Fixture.Client;
        async Task<(string Fault, string Detail)> Of(string path)
        {
            var answer = (await client.Call(path.Contains(":import", StringComparison.Ordinal) ? "POST" : "GET", path))
                .Must(System.Net.HttpStatusCode.BadRequest);
            return (answer.Faults.ShouldHaveSingleItem(), answer.Json.GetProperty("errors")[0].GetProperty("detail").GetString()!);
        }

        (await Of("/v1/sites?limit=abc")).ShouldBe(("/limit type", "The value is not a whole number in range."));
        (await Of("/v1/devices:import?dryRun=maybe")).ShouldBe(("/dryRun type", "The value is not true or false."));
        (await Of("/v1/runs?createdAfter=x"))
            .ShouldBe(("/createdAfter type", "The value is not a time, for example 2027-01-31T02:00:00Z."));
    }

    [Fact]
    public async Task A_body_that_is_not_json_is_refused_with_its_place()
    {
        using var content = new StringContent("{\n  \"name\": \"a\",\n}", Encoding.UTF8, "application/json");
        (await shared.Fixture.Client.Call("POST", "/v1/sites", content)).Must(System.Net.HttpStatusCode.BadRequest)
            .Json.GetProperty("detail").GetString()!.ShouldStartWith("From line 3, byte 1 on, the body is not JSON");
    }

    private static async Task<IEnumerable<string>> Try(HttpClient client, string verb, string path, byte[]? body, string type)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb), path);
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        var what = $"{verb} {path} {type} {(body is null ? "" : Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(60, body.Length))))}: "
            + $"{(int)answer.StatusCode} {text[..Math.Min(400, text.Length)]}";
        if ((int)answer.StatusCode is < 400 or >= 500 || answer.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            return [what];
        }

        var problem = JsonElement.Parse(text);
        IEnumerable<string?> texts =
        [
            problem.GetProperty("title").GetString(), problem.GetProperty("detail").GetString(),
            .. problem.GetProperty("errors") is { ValueKind: JsonValueKind.Array } errors
                ? errors.EnumerateArray().Select(error => error.GetProperty("detail").GetString()) : [],
        ];
        return texts.SelectMany(each => _foreign.Where(word => each?.Contains(word, StringComparison.OrdinalIgnoreCase) == true))
            .Select(word => $"'{word}' in {what}");
    }
}
