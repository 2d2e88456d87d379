using System.Net;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class SecretInputTests(PostgresServer postgres)
{
    [Fact]
    public async Task Rotation_of_a_secret_changes_the_hash_and_makes_a_quote_drift()
    {
        var (fixture, secret, body) = await Start();
        await using var ending = fixture;
        var first = await fixture.Post(fixture.Client, "/v1/quotes", body);
        var same = await fixture.Post(fixture.Client, "/v1/quotes", body);
        (await fixture.Client.Call("PATCH", $"/v1/credentials/{secret}", new { name = "renamed" }, "*")).Must(HttpStatusCode.OK);
        var renamed = await fixture.Post(fixture.Client, "/v1/quotes", body);
        (await fixture.Client.Call("PATCH", $"/v1/credentials/{secret}", new { password = "md5-key-2" }, "*")).Must(HttpStatusCode.OK);
        var rotated = await fixture.Post(fixture.Client, "/v1/quotes", body);

        var drift = await RunFixture.Post(fixture.Client, "/v1/runs", new { quoteId = $"{first["id"]}" }, null, 409);
        var run = await RunFixture.Post(fixture.Client, "/v1/runs", new { quoteId = $"{rotated["id"]}" }, null, 202);

        $"{same["inputHash"]}".ShouldBe($"{first["inputHash"]}");
        $"{renamed["inputHash"]}".ShouldBe($"{first["inputHash"]}");
        $"{rotated["inputHash"]}".ShouldNotBe($"{first["inputHash"]}");
        $"{drift["type"]}".ShouldBe("/problems/quote_drift");
        $"{drift["detail"]}".ShouldBe("A secret of the input was rotated.");
        run["input"]!["neighbors"]![0]!["password"]!.ToJsonString().ShouldBe($$"""{"credentialId":"{{secret}}"}""");
        (await fixture.Claim())!.Secrets.ShouldBe(new Dictionary<CredentialId, int> { [CredentialId.Parse(secret)] = 2 });
    }

    [Fact]
    public async Task Secret_that_a_schedule_or_an_open_run_uses_stays()
    {
        var (fixture, secret, body) = await Start();
        await using var ending = fixture;
        var other =
            (await fixture.Post(fixture.Client, "/v1/credentials", new { name = "other", kind = "secret", password = "md5-key-3" }))["id"];
        Task<Answer> Delete(object id) => fixture.Client.Call("DELETE", $"/v1/credentials/{id}", null, "*");
        var schedule = (await fixture.Client.Call(
            "POST", "/v1/schedules", new { name = "s", cron = "0 3 * * *", timeZone = "UTC", run = body, enabled = false }))
            .Must(HttpStatusCode.Created);
        (await Delete(secret)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("credential_in_use");
        (await Delete(other!)).Must(HttpStatusCode.NoContent);

        (await fixture.Client.Call("DELETE", schedule.Location!, null, "*")).Must(HttpStatusCode.NoContent);
        var run = await fixture.StartRun(body);
        (await Delete(secret)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("credential_in_use");

        await fixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { });
        (await Delete(secret)).Must(HttpStatusCode.NoContent);
        (await fixture.Client.Call("POST", "/v1/quotes", body)).Must(HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/input/neighbors/0/password/credentialId unknown_credential"]);
    }

    /// <summary>A tenant with one device and a run whose input names a secret.</summary>
    private async Task<(RunFixture Fixture, string Secret, object Body)> Start()
    {
        var fixture = await RunFixture.Start(postgres, 1);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "pay_per_use" });
        var secret = $"{(await fixture.Post(
            fixture.Client, "/v1/credentials", new { name = "md5", kind = "secret", password = "md5-key-1" }))["id"]}";
        var neighbor = new { address = "10.66.0.9", remoteAs = 65002, password = new { credentialId = secret } };
        return (fixture, secret, new
        {
            block = "bgp-neighbors", mode = "apply", targets = new { all = true },
            input = new { asn = 65001, neighbors = new[] { neighbor } },
        });
    }
}
