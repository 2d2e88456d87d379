using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class PriceTests(PostgresServer postgres)
{
    private const string Device = "static-routes/apply/device";

    [Fact]
    public async Task A_new_price_applies_to_later_quotes()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var before = await fixture.StartRun();
        await Set(fixture, new { sku = Device, unitPrice = Usd("0.2") });
        await fixture.Work((await fixture.Claim())!);
        (await Charged(fixture, before)).ShouldBe("0.200000");
        var after = await fixture.StartRun();
        await fixture.Work((await fixture.Claim())!);
        (await Charged(fixture, after)).ShouldBe("0.500000");
    }

    [Fact]
    public async Task An_agreed_price_is_one_tenants_alone_and_ends()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await fixture.Host.CreateTenant();
        var agreed = await Set(fixture, new { sku = Device, unitPrice = Usd("0.01"), tenantId = fixture.Tenant.Id.ToString() });
        (await Shown(fixture.Client)).ShouldBe("0.010000");
        (await Shown(other.Client)).ShouldBe("0.050000");
        var staff = fixture.Host.Operator();
        (await staff.Call("POST", $"/operator/v1/prices/{agreed["id"]}:end", new { })).Must(HttpStatusCode.OK);
        (await Shown(fixture.Client)).ShouldBe("0.050000");
        (await staff.Call("POST", $"/operator/v1/prices/{agreed["id"]}:end", new { })).Must(HttpStatusCode.Conflict);
        (await staff.Call("GET", $"/operator/v1/prices?sku={Device}&tenantId={fixture.Tenant.Id}")).Must(HttpStatusCode.OK)
            .Json.GetProperty("items").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_price_is_set_for_a_time_to_come_and_never_for_the_past()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await Set(fixture, new { sku = Device, unitPrice = Usd("9"), validFrom = DateTimeOffset.UtcNow.AddDays(30) });
        (await Shown(fixture.Client)).ShouldBe("0.050000");
        var staff = fixture.Host.Operator();
        (await staff.Call(
            "POST", "/operator/v1/prices", new { sku = Device, unitPrice = Usd("8"), validFrom = DateTimeOffset.UtcNow.AddDays(20) }))
                .Must(HttpStatusCode.Conflict);
        (await staff.Call(
            "POST", "/operator/v1/prices", new { sku = Device, unitPrice = Usd("8"), validFrom = DateTimeOffset.UtcNow.AddSeconds(-1) }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/validFrom in_the_past"]);
        (await staff.Call(
            "POST", "/operator/v1/prices",
            new { sku = "nothing/apply/device", unitPrice = Usd("-1"), freePerMonth = -1, tenantId = TenantId.New().ToString() }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(
                ["/sku unknown_price", "/unitPrice out_of_range", "/freePerMonth out_of_range", "/tenantId unknown_tenant"]);
    }

    [Fact]
    public async Task Starting_again_keeps_the_price_that_was_set()
    {
        var database = await postgres.Create();
        await using (var fixture = await RunFixture.Start(database, 1, upkeep: false))
        {
            await Set(fixture, new { sku = Device, unitPrice = Usd("0.07") });
        }

        await using var again =
            await ServiceHost.Start(database, [$"Catalog:BlocksDirectory={PostgresServer.RepositoryRoot()}/src/Blocks"]);
        (await Shown((await again.CreateTenant()).Client)).ShouldBe("0.070000");
    }

    [Fact]
    public async Task An_offer_that_the_staff_ended_is_not_made_again_by_a_start()
    {
        const string Rental = "static-routes/rental/month";
        var database = await postgres.Create();
        await using (var fixture = await RunFixture.Start(database, 1, upkeep: false))
        {
            var staff = fixture.Host.Operator();
            var offer = (await staff.Call("GET", $"/operator/v1/prices?sku={Rental}")).Must(HttpStatusCode.OK)
                .Json.GetProperty("items")[0].GetProperty("id");
            (await staff.Call("POST", $"/operator/v1/prices/{offer}:end", new { })).Must(HttpStatusCode.OK);
        }

        await using var again = await ServiceHost.Start(database);
        (await again.Operator().Call("GET", $"/operator/v1/prices?sku={Rental}")).Must(HttpStatusCode.OK)
            .Json.GetProperty("items").EnumerateArray().ShouldHaveSingleItem().GetProperty("validTo").ValueKind
            .ShouldBe(System.Text.Json.JsonValueKind.String);
    }

    [Fact]
    public async Task The_free_part_of_a_month_goes_first_and_what_a_run_does_not_use_comes_back()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        await Set(fixture, new { sku = Device, unitPrice = Usd("0.05"), freePerMonth = 4 });
        var first = await fixture.StartRun();
        (await fixture.Scalar<long>("select held from billing.free_allowance")).ShouldBe(3);
        var second = await fixture.StartRun(fixture.Apply("10.8.0.0/16"));
        (await fixture.Scalar<long>("select held from billing.free_allowance")).ShouldBe(4);

        // Two of three devices were changed: one free device is returned, and the run costs only its run component.
        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Changed, DeviceOutcome.Failed, DeviceOutcome.Ok);
        (await Charged(fixture, first)).ShouldBe("0.100000");
        (await fixture.Scalar<long>("select held * 100 + used from billing.free_allowance")).ShouldBe(102);
        await fixture.Work((await fixture.Claim())!);
        (await Charged(fixture, second)).ShouldBe("0.200000");
        var third = await fixture.StartRun(fixture.Apply("10.7.0.0/16"));
        await fixture.Work((await fixture.Claim())!);
        (await Charged(fixture, third)).ShouldBe("0.200000");
        (await fixture.Scalar<long>("select held * 100 + used from billing.free_allowance")).ShouldBe(4);

        // The receipts of each run add up to its device charge.
        (await fixture.Scalar<long>(
            """
            select count(*) from billing.settlement s where component = 'device'
              and amount_micros <> (select sum(price_micros) from billing.receipt r where r.run_id = s.run_id)
            """)).ShouldBe(0);
    }

    [Fact]
    public async Task Runs_at_once_never_take_more_than_is_free()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await Set(fixture, new { sku = Device, unitPrice = Usd("0.05"), freePerMonth = 5 });
        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => fixture.StartRun()));
        (await fixture.Scalar<long>("select held from billing.free_allowance")).ShouldBe(5);
        (await fixture.Scalar<long>("select sum(free_quantity)::bigint from billing.reservation")).ShouldBe(5);
        (await fixture.Scalar<long>("select sum(amount_micros)::bigint from billing.reservation where component = 'device'"))
            .ShouldBe(7 * 50_000);
    }

    [Fact]
    public async Task A_free_run_fits_a_maximum_of_nothing()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await Set(fixture, new { sku = Device, unitPrice = Usd("0.05"), freePerMonth = 1 });
        await Set(fixture, new { sku = "static-routes/apply/run", unitPrice = Usd("0.01"), freePerMonth = 1 });
        static object Free(string prefix) => new
        {
            block = "static-routes", mode = "apply", targets = new { all = true },
            input = new { routes = new[] { new { prefix, nextHop = "10.66.0.1" } } }, maxPrice = Usd("0"),
        };
        await fixture.StartRun(Free("10.9.0.0/16"));
        var refused = await RunFixture.Post(fixture.Client, "/v1/runs", Free("10.8.0.0/16"), null, 402);
        refused["ceiling"]!["amount"]!.GetValue<string>().ShouldBe("0.060000");
    }

    [Fact]
    public async Task Minutes_are_those_a_worker_had_the_run_not_those_a_person_thought_about_it()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await Set(fixture, new { sku = "static-routes/apply/minute", unitPrice = Usd("1") });
        var id = await fixture.StartRun();
        await fixture.Sql("update runs.run set effect = 'unsafe'");
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed))).ShouldBeTrue();
        await fixture.Sql("update runs.run set lease_until = now() - interval '1 hour'");
        await using (var scope = fixture.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.Zero, TimeSpan.Zero, default);
        }

        await fixture.Sql(
            """
            set session_replication_role = replica; update runs.run_transition set at = at - interval '5 hours';
            update runs.run set started_at = started_at - interval '5 hours'; set session_replication_role = origin
            """);
        await fixture.Post(fixture.Client, $"/v1/runs/{id}:resolve", new { verdict = "abandoned", evidence = "nobody knows" });
        (await Charged(fixture, id)).ShouldBe("1.150000");
        (await fixture.Scalar<long>("select quantity from billing.usage_event where meter = 'minute'")).ShouldBe(1);
    }

    [Fact]
    public async Task A_price_out_of_range_is_refused()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var staff = fixture.Host.Operator();
        (await staff.Call(
            "POST", "/operator/v1/prices",
            new { sku = Device, unitPrice = Usd("1000000.000001"), validFrom = DateTimeOffset.UtcNow.AddYears(36) }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/unitPrice out_of_range", "/validFrom out_of_range"]);
        (await fixture.Client.Call("GET", "/v1/usage/focus.csv?month=9999-12")).Must(HttpStatusCode.UnprocessableEntity);
    }

    private static object Usd(string amount) => new { amount, currency = "USD" };

    private static async Task<JsonNode> Set(RunFixture fixture, object body)
    {
        using var answer = await fixture.Host.Operator().PostAsJsonAsync("/operator/v1/prices", body);
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, text);
        return JsonNode.Parse(text)!;
    }

    private static async Task<string> Charged(RunFixture fixture, RunId run) =>
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}"))["charged"]!["amount"]!.GetValue<string>();

    private static async Task<string> Shown(HttpClient client) =>
        (await RunFixture.Get(client, "/v1/blocks/static-routes"))["prices"]!["applyDevice"]!["amount"]!.GetValue<string>();
}
