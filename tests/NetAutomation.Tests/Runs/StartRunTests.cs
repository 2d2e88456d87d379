using System.Text.Json.Nodes;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class StartRunTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_run_holds_its_ceiling_and_charges_what_was_done()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var started = await fixture.Post(fixture.Client, "/v1/runs", fixture.Apply("10.9.0.0/16"));
        started["state"]!.GetValue<string>().ShouldBe("queued");
        started["ceiling"]!["amount"]!.GetValue<string>().ShouldBe("0.250000");
        started["charged"].ShouldBeNull();

        var run = (await fixture.Claim())!;
        run.Id.ToString().ShouldBe(started["id"]!.GetValue<string>());
        await fixture.Work(run, DeviceOutcome.Changed, DeviceOutcome.Unreachable, DeviceOutcome.Ok);

        var done = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}");
        done["state"]!.GetValue<string>().ShouldBe("failed");
        done["failure"]!["detail"]!.GetValue<string>().ShouldBe("1 of 3");
        done["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        done["summary"]!["unreachable"]!.GetValue<int>().ShouldBe(1);

        var invoice = (await RunFixture.Get(fixture.Client, "/v1/invoices"))["items"]![0]!;
        invoice["kind"]!.GetValue<string>().ShouldBe("statement");
        invoice["total"]!["amount"]!.GetValue<string>().ShouldBe("0.200000");
        invoice["lines"]!.AsArray().Sum(line => decimal.Parse(line!["amount"]!["amount"]!.GetValue<string>())).ShouldBe(0.2m);
    }

    [Fact]
    public async Task The_same_idempotency_key_starts_one_run()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var key = $"change-{Guid.NewGuid():n}";
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var request =
                new HttpRequestMessage(
                    HttpMethod.Post, "/v1/runs")
                { Content = System.Net.Http.Json.JsonContent.Create(fixture.Apply("10.9.0.0/16")) };
            request.Headers.Add("Idempotency-Key", key);
            using var answer = await fixture.Client.SendAsync(request);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }));
        answers.ShouldAllBe(answer => answer.Item1 == 202 || answer.Item1 == 409);
        answers.Where(answer => answer.Item1 == 202).Select(answer => answer.Item2).Distinct().Count().ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from billing.reservation")).ShouldBe(3);
        await RunFixture.Post(fixture.Client, "/v1/runs", fixture.Apply("10.8.0.0/16"), key, 422);
    }

    [Fact]
    public async Task A_quote_starts_one_run_at_its_price()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        quote["lines"]!.AsArray().Count.ShouldBe(3);
        var body = new { quoteId = quote["id"]!.GetValue<string>() };
        (await RunFixture.Post(fixture.Client, "/v1/runs", body, null, 202))["quoteId"]!.GetValue<string>().ShouldBe(body.quoteId);
        (await RunFixture.Post(fixture.Client, "/v1/runs", body, null, 409))["type"]!.GetValue<string>().ShouldBe("/problems/quote_used");
        var other = await fixture.Post(fixture.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        (await RunFixture.Post(
            fixture.Client, "/v1/runs", new { quoteId = other["id"]!.GetValue<string>(), block = "static-routes" }, null, 422))
            ["errors"]![0]!["pointer"]!.GetValue<string>().ShouldBe("/block");
    }

    [Fact]
    public async Task A_run_is_refused_where_nothing_or_not_enough_was_paid()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var unpaid =
            new
            {
                block = "bgp-neighbors", mode = "apply", targets = new { all = true },
                input = new { asn = 65001, neighbors = new[] { new { address = "10.66.0.9", remoteAs = 65002 } } }
            };
        (await RunFixture.Post(fixture.Client, "/v1/runs", unpaid, null, 402))["type"]!.GetValue<string>()
            .ShouldBe("/problems/no_entitlement");

        var body = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(fixture.Apply("10.9.0.0/16")))!.AsObject();
        body["maxPrice"] = new JsonObject { ["amount"] = "0.10", ["currency"] = "USD" };
        var above = await RunFixture.Post(fixture.Client, "/v1/runs", body, null, 402);
        above["type"]!.GetValue<string>().ShouldBe("/problems/price_above_max");
        above["ceiling"]!["amount"]!.GetValue<string>().ShouldBe("0.250000");

        using (var put =
            new HttpRequestMessage(
                HttpMethod.Put, "/v1/budget")
            {
                Content = System.Net.Http.Json.JsonContent.Create(new { monthly = new { amount = "0.3", currency = "USD" } })
            })
        {
            put.Headers.Add("If-Match", "*");
            using var answer = await fixture.Client.SendAsync(put);
            answer.IsSuccessStatusCode.ShouldBeTrue();
        }

        await fixture.StartRun();
        var over = await RunFixture.Post(fixture.Client, "/v1/runs", fixture.Apply("10.8.0.0/16"), null, 402);
        over["type"]!.GetValue<string>().ShouldBe("/problems/budget_exceeded");
        over["reserved"]!["amount"]!.GetValue<string>().ShouldBe("0.250000");
        (await fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(1);
    }
}
