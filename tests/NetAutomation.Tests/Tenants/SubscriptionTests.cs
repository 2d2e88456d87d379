using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

/// <summary>Events of AWS Marketplace about subscriptions, through its queue, in every envelope.</summary>
public sealed class SubscriptionTests(PostgresServer postgres)
{
    [Theory]
    [InlineData("")]
    [InlineData("?raw=true")]
    [InlineData("?raw=true&pascalCase=true")]
    public async Task A_product_without_concurrent_agreements_gets_its_events_by_SNS(string form)
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe(product: MarketplaceFixture.Legacy);
        var early = form.Length > 0;
        if (early)
        {
            // Before the buyer registers, the subscription belongs to no tenant.
            await market.Change(subscription, "activate", form);
        }

        var browser = await market.Register(subscription);
        var tenant = await MarketplaceFixture.Tenant(browser);
        if (!early)
        {
            (await market.State(tenant)).ShouldBe("pending");
            await market.Change(subscription, "activate", form);
        }

        await market.WaitForState(tenant, "active");
        (await market.Value<string>("select customer_identifier from onboarding.agreement")).ShouldNotBeNullOrEmpty();
        await market.Change(subscription, "end", form);
        await Eventually.Holds(() => market.Value<bool>("select stopped_at is not null from billing.account"));
        (await market.State(tenant)).ShouldBe("active");
        (await market.Value<bool>("select closed_at is not null from billing.payer")).ShouldBeTrue();
        await market.Change(subscription, "deprovision", form);
        await market.WaitForState(tenant, "ended");
        // A buyer who returns while the data still exists gets it back.
        await market.Change(subscription, "activate", form);
        await market.WaitForState(tenant, "active");
        (await market.Value<bool>(
            "select closed_at is null and stopped_at is null from billing.payer join billing.account using (tenant_id)")).ShouldBeTrue();
        (await MarketplaceFixture.Tenant(await market.Register(subscription))).ShouldBe(tenant);
    }

    [Fact]
    public async Task A_failed_subscription_ends_the_tenant_that_waits_for_it()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe(product: MarketplaceFixture.Legacy);
        var browser = await market.Register(subscription);
        await market.Change(subscription, "fail");
        await market.WaitForState(await MarketplaceFixture.Tenant(browser), "ended");
    }

    [Fact]
    public async Task A_contract_that_AWS_lists_confirms_a_subscription_and_one_that_it_lists_no_more_ends_it()
    {
        await using var market = await MarketplaceFixture.Start(postgres, "Marketplace:Contracts:bgp_contract:Block=bgp-neighbors");
        var subscription = await market.Subscribe(product: MarketplaceFixture.Legacy, entitlements: new { bgp_contract = 1 });
        var browser = await market.Register(subscription);
        var tenant = await MarketplaceFixture.Tenant(browser);
        // AWS knows the agreement but sends no event.
        await market.Cloud.ControlAsync(HttpMethod.Put, "/control/queues/events/faults", new { dropPercent = 100 });
        await market.Change(subscription, "activate");
        // The service's own loop may have asked just before.
        await AskAnHourLater();
        (await market.State(tenant)).ShouldBe("active");
        await market.Change(subscription, "end");
        await Ask();
        (await market.State(tenant)).ShouldBe("active", "AWS is asked once an hour");
        for (var answer = 0; answer < 3; answer++)
        {
            await AskAnHourLater();
            (await market.State(tenant)).ShouldBe("active", "an empty answer may be a fault of AWS");
        }

        await market.Sql("update onboarding.agreement set unlisted_since = unlisted_since - interval '5 minutes'");
        await AskAnHourLater();
        (await market.State(tenant)).ShouldBe("ended");
        await AskAnHourLater();
        (await market.State(tenant)).ShouldBe("ended");

        // The agreement exists after all.
        await market.Change(subscription, "activate");
        await AskAnHourLater();
        (await market.State(tenant)).ShouldBe("active");
        (await market.Value<bool>(
            "select closed_at is null and stopped_at is null from billing.payer join billing.account using (tenant_id)")).ShouldBeTrue();
        (await market.Value<bool>("select unlisted = 0 and unlisted_since is null from onboarding.agreement")).ShouldBeTrue();

        // A registration with a new token makes the service ask AWS at once.
        var other = await market.Subscribe(SimulatedCloud.Stranger, MarketplaceFixture.Legacy);
        await market.Register(other);
        await market.Sql("update onboarding.agreement set asked_at = now()");
        await market.Register(other);
        (await market.Value<bool>("select bool_and((asked_at is null) = (state = 'pending')) from onboarding.agreement")).ShouldBeTrue();

        async Task AskAnHourLater()
        {
            await market.Sql("update onboarding.agreement set asked_at = now() - interval '61 minutes'");
            await Ask();
        }

        async Task Ask()
        {
            await using var scope = market.Service.Services.CreateAsyncScope();
            await ActivatorUtilities.CreateInstance<ConfirmContracts>(scope.ServiceProvider).Run(default);
        }
    }

    [Fact]
    public async Task A_buyer_of_another_product_of_the_seller_is_no_customer()
    {
        await using var market =
            await MarketplaceFixture.Start(postgres, product => product with { LegacyProducts = [.. product.LegacyProducts, "another"] });
        var other = await market.Subscribe(product: "another");
        await market.Change(other, "activate");
        using var browser = market.Service.Browser();
        var (status, page) = await MarketplaceFixture.Post(browser, "", ("x-amzn-marketplace-token", other.Token));
        (status, page.Contains("for another product", StringComparison.Ordinal)).ShouldBe((HttpStatusCode.BadRequest, true));
        await Eventually.Holds(() => market.Value<bool>("select count(*) = 1 from onboarding.marketplace_event"));

        var own = await market.Subscribe(product: MarketplaceFixture.Legacy);
        await market.Change(own, "activate");
        var tenant = await MarketplaceFixture.Tenant(await market.Register(own));
        await market.WaitForState(tenant, "active");
        await market.Change(other, "deprovision");
        await Eventually.Holds(() => market.Value<bool>("select count(*) = 3 from onboarding.marketplace_event"));
        await market.ApplyEvents();
        (await market.State(tenant)).ShouldBe("active");
        (await market.Value<long>(
            "select count(*) from onboarding.marketplace_event where product_code = 'another' and applied_at is null")).ShouldBe(2);
        (await market.Value<long>("select count(*) from onboarding.tenant")).ShouldBe(1);
    }

    [Fact]
    public async Task The_sweep_takes_only_events_that_an_agreement_counts_and_the_oldest_first()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        await market.Change(subscription, "activate");
        var tenant = await MarketplaceFixture.Tenant(await market.Register(subscription));
        await market.WaitForState(tenant, "active");
        // Events of other licences of the same agreement do not count.
        await market.Sql(
            """
            insert into onboarding.marketplace_event (id, kind, at, license_arn, agreement_id, account, product_code, body)
            select 'foreign-' || i, 'License Updated - Manufacturer', now(), 'arn:foreign' || i, agreement_id, account, product_code, '{}'
            from onboarding.agreement, generate_series(1, 1100) i
            """);
        await market.Sql(
            """
            insert into onboarding.marketplace_event (id, kind, at, agreement_id, body, received_at)
            select 'late-' || i, 'Purchase Agreement Amended - Proposer', now(), agreement_id, '{}', now() - i * interval '1 second'
            from onboarding.agreement, generate_series(1, 2) i
            """);
        await market.ApplyEvents();
        (await market.Value<long>("select count(*) from onboarding.marketplace_event where id like 'late-%' and applied_at is not null"))
            .ShouldBe(2);
        await using var scope = market.Service.Services.CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<ApplyEvents>().Left(default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_tenant_that_AWS_refuses_to_bill_is_suspended_until_AWS_accepts_it_again()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (tenant, client, _, _) = await market.Onboard(await market.Subscribe());
        await market.Sql("update billing.payer set refused_at = now()");
        await Look();
        var view = await market.Staff.GetFromJsonAsync<JsonElement>($"/operator/v1/tenants/{tenant}");
        (view.GetProperty("state").GetString(), view.GetProperty("suspendedBy").GetString()).ShouldBe(("suspended", "marketplace"));
        (await client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);
        (await client.Call("POST", "/v1/members", new { name = "n", role = "viewer" }))
            .Must(HttpStatusCode.Forbidden).Problem.ShouldBe("tenant_suspended");
        await market.Sql("update billing.payer set refused_at = null");
        await Look();
        (await market.State(tenant)).ShouldBe("active");

        // An operator may reactivate the tenant.
        await market.Sql("update billing.payer set refused_at = now()");
        await Look();
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:reactivate")).Must(HttpStatusCode.OK);
        await Look();
        (await market.State(tenant)).ShouldBe("active");
        (await client.Call("POST", "/v1/members", new { name = "n", role = "viewer" })).Must(HttpStatusCode.Created);

        // Only an operator lifts an operator's suspension.
        await market.Sql("update billing.payer set refused_at = now()");
        await Look();
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:suspend", new { reason = "abuse" })).Must(HttpStatusCode.OK)
            .Json.GetProperty("suspendedBy").GetString().ShouldBe(ServiceHost.OperatorName);
        await market.Sql("update billing.payer set refused_at = null");
        await Look();
        (await market.State(tenant)).ShouldBe("suspended");
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:suspend", new { reason = "again" })).Must(HttpStatusCode.Conflict);
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:reactivate")).Must(HttpStatusCode.OK);
        (await market.State(tenant)).ShouldBe("active");

        async Task Look()
        {
            await using var scope = market.Service.Services.CreateAsyncScope();
            await ActivatorUtilities.CreateInstance<SuspendRefused>(scope.ServiceProvider).Run(default);
        }
    }

    [Fact]
    public async Task A_suspension_outlives_later_events_of_AWS()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        var (tenant, _, _, _) = await market.Onboard(subscription);
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:suspend", new { reason = "abuse" })).Must(HttpStatusCode.OK);
        await market.Change(subscription, "deprovision");
        await market.WaitForState(tenant, "ended");
        // The time of an event has a precision of seconds.
        await market.Sql("update onboarding.marketplace_event set at = at - interval '1 minute'");
        await market.Change(subscription, "activate");
        await market.WaitForState(tenant, "suspended");
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[1,2]")]
    [InlineData("{\"action\":\"unheard-of\",\"product-code\":\"old\"}")]
    [InlineData("{\"action\":\"\\u0000\",\"customer-identifier\":\"\\ud800\",\"product-code\":\"old\"}")]
    [InlineData("{\"Type\":\"SubscriptionConfirmation\",\"SubscribeURL\":\"http://127.0.0.1:1/\"}")]
    [InlineData("{\"Type\":\"Notification\",\"Message\":\"{\\\"Type\\\":\\\"Notification\\\",\\\"Message\\\":\\\"deep\\\"}\"}")]
    [InlineData("{\"detail-type\":\"License Updated - Manufacturer\",\"id\":\"x\",\"time\":\"never\",\"detail\":7}")]
    public async Task An_unknown_event_is_kept_and_stops_no_other(string body)
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        await market.Cloud.ControlAsync(HttpMethod.Post, "/control/queues/events/messages", new { body }, 201);
        var subscription = await market.Subscribe();
        await market.Change(subscription, "activate");
        var browser = await market.Register(subscription);
        await market.WaitForState(await MarketplaceFixture.Tenant(browser), "active");
        await Eventually.Holds(async () =>
        {
            var queue = (await market.Cloud.ControlAsync(HttpMethod.Get, "/control/queues")).EnumerateArray().Single();
            return queue.GetProperty("visible").GetInt32() + queue.GetProperty("inFlight").GetInt32() == 0;
        });
        (await market.Value<long>("select count(*) from onboarding.marketplace_event")).ShouldBe(3);
    }
}
