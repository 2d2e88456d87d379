using System.Text;
using System.Text.Json.Nodes;

namespace NetAutomation.Tests.Runs;

public sealed class BadInputTests(QueuedRun shared) : IClassFixture<QueuedRun>
{
    [Theory]
    [InlineData("""{"block":"static-routes","mode":"apply","targets":{"all":true},"input":{"routes":[]}}""", 422, "/input/routes")]
    [InlineData(
        """
        {
          "block":"static-routes","mode":"apply","targets":{"all":true},
          "input":{"routes":[{"prefix":"10.9.0.0/16","nextHop":"{{ x }}"}]}
        }
        """,
        422, "/input/routes/0/nextHop")]
    [InlineData("""{"block":"static-routes","mode":"apply","targets":{"all":true,"selector":"a=b"},"input":{}}""", 422, null)]
    [InlineData("""{"block":"no-such-block","mode":"apply","targets":{"all":true},"input":{}}""", 422, "/block")]
    [InlineData(
        """
        {
          "block":"static-routes","mode":"apply","targets":{"deviceIds":["dev_00000000000000000000000000"]},
          "input":{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}]}
        }
        """, 422, "/targets/deviceIds/0")]
    [InlineData("""{"block":"static-routes","mode":"apply","targets":{"all":true},"input":{},"surprise":1}""", 400, "/surprise")]
    [InlineData("""{"block":"static-routes","mode":"apply","targets":{"all":"yes"},"input":{}}""", 400, "/targets/all")]
    [InlineData("""{"block":"static-routes","mode":"sideways","targets":{"all":true},"input":{}}""", 400, "/mode")]
    [InlineData("""{"mode":"apply","input":{}}""", 400, "/block")]
    [InlineData(
        """{"block":"static-routes","mode":"apply","targets":{"all":true},"input":{},"maxPrice":{"amount":1,"currency":"USD"}}""", 422,
        "/maxPrice")]
    [InlineData(
        """{"block":"static-routes","mode":"apply","targets":{"all":true},"input":{},"maxPrice":{"amount":"1","currency":"EUR"}}""", 422,
        "/maxPrice")]
    [InlineData("""{"block":""", 400, null)]
    [InlineData("[]", 400, null)]
    [InlineData("", 400, null)]
    public async Task A_bad_body_is_answered_with_a_pointer_and_does_nothing(string body, int status, string? pointer)
    {
        var fixture = shared.Fixture;
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "/v1/runs") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        using var answer = await fixture.Client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        ((int)answer.StatusCode).ShouldBe(status, text);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        var problem = JsonNode.Parse(text)!;
        problem["traceId"]!.GetValue<string>().ShouldNotBeEmpty();
        if (pointer is not null)
        {
            problem["errors"]!.AsArray().Select(error => error!["pointer"]!.GetValue<string>())
                .ShouldContain(at => at.StartsWith(pointer, StringComparison.Ordinal), text);
        }

        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }
}
