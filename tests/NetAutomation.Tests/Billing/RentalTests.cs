using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Purchasing.Rights;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class RentalTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_rental_renews_once_for_its_term_at_the_price_then_in_force()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var first = await Rent(fixture, months: 2, renew: true);
        await Renew(fixture);
        (await Rights(fixture)).Count.ShouldBe(1);

        await (fixture.Host.Operator())
            .Call("POST", "/operator/v1/prices",
                new { sku = "static-routes/rental/month", unitPrice = new { amount = "11", currency = "USD" } });
        await EndsIn(fixture, first, "30 minutes");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Renew(fixture)));
        await Renew(fixture);
        var rights = await Rights(fixture);
        rights.Count.ShouldBe(2);
        var next = rights[0];
        next["startsAt"]!.GetValue<string>().ShouldBe(rights[1]["endsAt"]!.GetValue<string>());
        next["autoRenew"]!.GetValue<bool>().ShouldBeTrue();
        (await RunFixture.Get(fixture.Client, $"/v1/purchases/{next["purchaseId"]}"))["price"]!["amount"]!.GetValue<string>()
            .ShouldBe("22.000000");
        (await fixture.Scalar<long>("select sum(amount_micros)::bigint from billing.charge where purchase_id is not null"))
            .ShouldBe((2 * 49_000_000) + 22_000_000);
    }

    [Fact]
    public async Task A_rental_that_does_not_renew_ends_and_a_run_costs_again()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var right = await Rent(fixture, months: 1, renew: true);
        var etag = (await fixture.Client.Call("GET", $"/v1/entitlements/{right}")).ETag;
        (await fixture.Client.Call("PATCH", $"/v1/entitlements/{right}", new { autoRenew = false }, etag)).Must(HttpStatusCode.OK);
        var included = await fixture.StartRun();
        await EndsIn(fixture, right, "-1 second");
        await Renew(fixture);
        (await Rights(fixture)).Count.ShouldBe(1);
        (await RunFixture.Get(fixture.Client, $"/v1/entitlements/{right}"))["state"]!.GetValue<string>().ShouldBe("ended");

        // A run that was accepted under the rental runs under it.
        await fixture.Work((await fixture.Claim())!);
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{included}"))["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        var paid = await fixture.StartRun();
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{paid}"))["ceiling"]!["amount"]!.GetValue<string>().ShouldNotBe("0.000000");
    }

    [Fact]
    public async Task A_refused_renewal_says_why_charges_nothing_and_is_tried_again()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var right = await Rent(fixture, months: 1, renew: true);
        await EndsIn(fixture, right, "10 minutes");
        var etag = (await fixture.Client.Call("GET", "/v1/budget")).ETag;
        (await fixture.Client.Call("PUT", "/v1/budget", new { monthly = new { amount = "60", currency = "USD" } }, etag))
            .Must(HttpStatusCode.OK);
        await Renew(fixture);
        await Renew(fixture);
        (await Rights(fixture)).ShouldHaveSingleItem()["renewalRefused"]!.GetValue<string>().ShouldBe("budget_exceeded");
        (await fixture.Scalar<long>("select count(*) from billing.charge where purchase_id is not null")).ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from web.audit_event where action = 'entitlement.renewal_refused'")).ShouldBe(1);

        etag = (await fixture.Client.Call("GET", "/v1/budget")).ETag;
        (await fixture.Client.Call("PUT", "/v1/budget", new { monthly = new { amount = "150", currency = "USD" } }, etag))
            .Must(HttpStatusCode.OK);
        await EndsIn(fixture, right, "-2 hours");
        await Renew(fixture);
        var rights = await Rights(fixture);
        rights.Count.ShouldBe(2);
        // The renewal is late, so the new term begins now: the customer does not pay for the time without an entitlement.
        DateTimeOffset.Parse(rights[0]["startsAt"]!.GetValue<string>()).ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddMinutes(-5));
    }

    [Fact]
    public async Task A_rental_that_was_rented_again_does_not_renew_and_holds_up_no_other()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var lapsed = await Rent(fixture, months: 1, renew: true);
        await EndsIn(fixture, lapsed, "-1 hour");
        await Rent(fixture, months: 1, renew: false);
        var other = await fixture.Host.CreateTenant();
        var right =
            (await fixture.Post(
                other.Client, "/v1/purchases", new { block = "static-routes", kind = "rental", months = 1, autoRenew = true }))[
                    "entitlementId"]!.GetValue<string>();
        await EndsIn(fixture, right, "10 minutes");
        await Renew(fixture);
        (await fixture.Scalar<long>("select count(*) from purchasing.purchase where renewal_of is not null")).ShouldBe(1);
        (await RunFixture.Get(fixture.Client, $"/v1/entitlements/{lapsed}"))["autoRenew"]!.GetValue<bool>().ShouldBeFalse();
    }

    [Fact]
    public async Task A_rental_keeps_its_day_of_the_month()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var right = await Rent(fixture, months: 1, renew: true);
        var end = DateTimeOffset.UtcNow.AddMinutes(30);
        var anchor = new DateTimeOffset(end.Year, 1, 31, 12, 0, 0, TimeSpan.Zero).AddYears(-1);
        await fixture.Sql(
            "update purchasing.entitlement set anchor_at = $2, starts_at = $2, ends_at = $3 where id = $1",
            EntitlementId.Parse(right).Value, anchor, end);
        await Renew(fixture);
        var next = DateTimeOffset.Parse((await Rights(fixture))[0]["endsAt"]!.GetValue<string>());
        next.Day.ShouldBe(Math.Min(31, DateTime.DaysInMonth(next.Year, next.Month)));
    }

    private static async Task<string> Rent(RunFixture fixture, int months, bool renew) =>
        (await fixture.Post(fixture.Client, "/v1/purchases", new { block = "static-routes", kind = "rental", months, autoRenew = renew }))[
            "entitlementId"]!.GetValue<string>();

    private static Task EndsIn(RunFixture fixture, string right, string interval) => fixture.Sql(
        $"""
        update purchasing.entitlement set starts_at = starts_at - interval '36 months', ends_at = now() + interval '{interval}'
        where id = $1
        """, EntitlementId.Parse(right).Value);

    private static async Task Renew(RunFixture fixture)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        await ActivatorUtilities.CreateInstance<RenewRentals>(scope.ServiceProvider).Run(default);
    }

    private static async Task<List<JsonNode>> Rights(RunFixture fixture) =>
        [.. (await RunFixture.Get(fixture.Client, "/v1/entitlements"))["items"]!.AsArray().Select(item => item!)
            .Where(item => item["kind"]!.GetValue<string>() == "rental")];
}
