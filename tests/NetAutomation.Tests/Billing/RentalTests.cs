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
        await using var ground = await RunGround.Start(postgres, 1);
        var first = await Rent(ground, months: 2, renew: true);
        await Renew(ground);
        (await Rights(ground)).Count.ShouldBe(1);

        await (ground.Host.Operator())
            .Call("POST", "/operator/v1/prices",
                new { sku = "static-routes/rental/month", unitPrice = new { amount = "11", currency = "USD" } });
        await EndsIn(ground, first, "30 minutes");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Renew(ground)));
        await Renew(ground);
        var rights = await Rights(ground);
        rights.Count.ShouldBe(2);
        var next = rights[0];
        next["startsAt"]!.GetValue<string>().ShouldBe(rights[1]["endsAt"]!.GetValue<string>());
        next["autoRenew"]!.GetValue<bool>().ShouldBeTrue();
        (await RunGround.Get(ground.Client, $"/v1/purchases/{next["purchaseId"]}"))["price"]!["amount"]!.GetValue<string>()
            .ShouldBe("22.000000");
        (await ground.Scalar<long>("select sum(amount_micros)::bigint from billing.charge where purchase_id is not null"))
            .ShouldBe((2 * 49_000_000) + 22_000_000);
    }

    [Fact]
    public async Task A_rental_that_does_not_renew_ends_and_a_run_costs_again()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var right = await Rent(ground, months: 1, renew: true);
        var etag = (await ground.Client.Call("GET", $"/v1/entitlements/{right}")).ETag;
        (await ground.Client.Call("PATCH", $"/v1/entitlements/{right}", new { autoRenew = false }, etag)).Must(HttpStatusCode.OK);
        var included = await ground.StartRun();
        await EndsIn(ground, right, "-1 second");
        await Renew(ground);
        (await Rights(ground)).Count.ShouldBe(1);
        (await RunGround.Get(ground.Client, $"/v1/entitlements/{right}"))["state"]!.GetValue<string>().ShouldBe("ended");

        // A run that was accepted under the rental runs under it.
        await ground.Work((await ground.Claim())!);
        (await RunGround.Get(ground.Client, $"/v1/runs/{included}"))["charged"]!["amount"]!.GetValue<string>().ShouldBe("0.000000");
        var paid = await ground.StartRun();
        (await RunGround.Get(ground.Client, $"/v1/runs/{paid}"))["ceiling"]!["amount"]!.GetValue<string>().ShouldNotBe("0.000000");
    }

    [Fact]
    public async Task A_refused_renewal_says_why_charges_nothing_and_is_tried_again()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var right = await Rent(ground, months: 1, renew: true);
        await EndsIn(ground, right, "10 minutes");
        var etag = (await ground.Client.Call("GET", "/v1/budget")).ETag;
        (await ground.Client.Call("PUT", "/v1/budget", new { monthly = new { amount = "60", currency = "USD" } }, etag))
            .Must(HttpStatusCode.OK);
        await Renew(ground);
        await Renew(ground);
        (await Rights(ground)).ShouldHaveSingleItem()["renewalRefused"]!.GetValue<string>().ShouldBe("budget_exceeded");
        (await ground.Scalar<long>("select count(*) from billing.charge where purchase_id is not null")).ShouldBe(1);
        (await ground.Scalar<long>("select count(*) from web.audit_event where action = 'entitlement.renewal_refused'")).ShouldBe(1);

        etag = (await ground.Client.Call("GET", "/v1/budget")).ETag;
        (await ground.Client.Call("PUT", "/v1/budget", new { monthly = new { amount = "150", currency = "USD" } }, etag))
            .Must(HttpStatusCode.OK);
        await EndsIn(ground, right, "-2 hours");
        await Renew(ground);
        var rights = await Rights(ground);
        rights.Count.ShouldBe(2);
        // The renewal is late, so the new term begins now: the customer does not pay for the time without an entitlement.
        DateTimeOffset.Parse(rights[0]["startsAt"]!.GetValue<string>()).ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddMinutes(-5));
    }

    [Fact]
    public async Task A_rental_that_was_rented_again_does_not_renew_and_holds_up_no_other()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var lapsed = await Rent(ground, months: 1, renew: true);
        await EndsIn(ground, lapsed, "-1 hour");
        await Rent(ground, months: 1, renew: false);
        var other = await ground.Host.CreateTenant();
        var right =
            (await ground.Post(
                other.Client, "/v1/purchases", new { block = "static-routes", kind = "rental", months = 1, autoRenew = true }))[
                    "entitlementId"]!.GetValue<string>();
        await EndsIn(ground, right, "10 minutes");
        await Renew(ground);
        (await ground.Scalar<long>("select count(*) from purchasing.purchase where renewal_of is not null")).ShouldBe(1);
        (await RunGround.Get(ground.Client, $"/v1/entitlements/{lapsed}"))["autoRenew"]!.GetValue<bool>().ShouldBeFalse();
    }

    [Fact]
    public async Task A_rental_keeps_its_day_of_the_month()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var right = await Rent(ground, months: 1, renew: true);
        var end = DateTimeOffset.UtcNow.AddMinutes(30);
        var anchor = new DateTimeOffset(end.Year, 1, 31, 12, 0, 0, TimeSpan.Zero).AddYears(-1);
        await ground.Sql(
            "update purchasing.entitlement set anchor_at = $2, starts_at = $2, ends_at = $3 where id = $1",
            EntitlementId.Parse(right).Value, anchor, end);
        await Renew(ground);
        var next = DateTimeOffset.Parse((await Rights(ground))[0]["endsAt"]!.GetValue<string>());
        next.Day.ShouldBe(Math.Min(31, DateTime.DaysInMonth(next.Year, next.Month)));
    }

    private static async Task<string> Rent(RunGround ground, int months, bool renew) =>
        (await ground.Post(ground.Client, "/v1/purchases", new { block = "static-routes", kind = "rental", months, autoRenew = renew }))[
            "entitlementId"]!.GetValue<string>();

    private static Task EndsIn(RunGround ground, string right, string interval) => ground.Sql(
        $"""
        update purchasing.entitlement set starts_at = starts_at - interval '36 months', ends_at = now() + interval '{interval}'
        where id = $1
        """, EntitlementId.Parse(right).Value);

    private static Task Renew(RunGround ground) => ActivatorUtilities.CreateInstance<RenewRentals>(ground.Host.Services).Run(default);

    private static async Task<List<JsonNode>> Rights(RunGround ground) =>
        [.. (await RunGround.Get(ground.Client, "/v1/entitlements"))["items"]!.AsArray().Select(item => item!)
            .Where(item => item["kind"]!.GetValue<string>() == "rental")];
}
