using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

/// <summary>An offboarded tenant leaves only its invoices, receipts and audit. The simulated AWS judges.</summary>
public sealed class OffboardingTests(PostgresServer postgres)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_offboarded_tenant_leaves_only_its_books(bool byOperator)
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        var (tenant, client, endpoint, browser) = await market.Onboard(subscription);
        var site = (await client.Call("POST", "/v1/sites", new { name = "main" })).Must(HttpStatusCode.Created).Id;
        (await client.Call(
            "POST", "/v1/credentials", new { name = "login", kind = "password", username = "admin", password = "hunter2hunter2" }))
                .Must(HttpStatusCode.Created);
        (await client.Call("POST", "/v1/connectors", new { name = "c1", siteId = site })).Must(HttpStatusCode.Created);
        await market.Sql(
            """
            insert into scheduling.schedule (tenant_id, id, name, cron, anchor, time_zone, run, misfire, overlap, enabled, created_by,
              member, next_at)
            values ($1, $1, 'nightly', '0 0 * * *', now(), 'UTC', '{}', 'skip', 'skip', true, $1, 'test', now() + interval '1 day')
            """,
            tenant.Value);
        await market.Sql(
            """
            insert into billing.invoice (tenant_id, id, kind, currency, period)
            values ($1, $1, 'statement', 'USD', daterange('2026-10-01', '2026-11-01'))
            """, tenant.Value);

        // The agreement is in force, so AWS Marketplace must end it first.
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Conflict);
        await market.Change(subscription, "end");
        await market.WaitForState(tenant, "ended");
        (await client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);
        (await client.Call("POST", "/v1/sites", new { name = "new" })).Must(HttpStatusCode.Forbidden);
        (await market.Principals()).ShouldContain($"arn:aws:iam::{SimulatedCloud.Customer}:root");
        await Run();
        (await market.State(tenant)).ShouldBe("ended");
        (await client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);

        if (byOperator)
        {
            (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" }))
                .Must(HttpStatusCode.Accepted);
        }
        else
        {
            await market.Sql("update onboarding.tenant set reads_until = now() - interval '1 second'");
        }

        await Eventually.Holds(async () =>
        {
            await Run();
            return (await Progress()).GetProperty("doneAt").ValueKind == JsonValueKind.String;
        });
        var done = await Progress();
        done.GetProperty("begunBy").GetString().ShouldBe(byOperator ? ServiceHost.OperatorName : "service");
        done.GetProperty("steps").EnumerateArray().ShouldAllBe(step => step.GetProperty("doneAt").ValueKind == JsonValueKind.String);

        (await market.Principals()).ShouldBeEmpty();
        (await market.Cloud.StateAsync(endpoint)).ShouldBe("rejected");
        (await Refused(client)).ShouldBeTrue();
        (await MarketplaceFixture.Page(browser)).ShouldContain("opened from AWS Marketplace");
        (await market.Value<long>(
            """
            select (select count(*) from onboarding.api_key where revoked_at is null) + (select count(*) from onboarding.binding
              where ended_at is null)
                 + (select count(*) from scheduling.schedule where enabled) + (select count(*) from connectors.connector
                   where state <> 'revoked')
                 + (select count(*) from connectors.join_token) + (select count(*) from onboarding.registration_session)
                 + (select count(*) from inventory.credential where ct <> '' or wrapped_dek <> '') + (select count(*)
                   from inventory.tenant_key where wrapped <> '')
                 + (select count(*) from onboarding.tenant_account where active)
            """)).ShouldBe(0);

        (await market.Staff.Call("GET", $"/operator/v1/invoices?tenantId={tenant}")).Must(HttpStatusCode.OK).Json.GetProperty("items")
            .GetArrayLength().ShouldBe(1);
        var export = new { requestId = await market.Service.Approved(tenant, new { deed = "export", reason = "asked for" }) };
        var kept = (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:export", export)).Must(HttpStatusCode.OK).Text;
        kept.ShouldContain("\"tenant.offboarded\"");
        kept.ShouldContain("\"invoice\"");
        kept.ShouldNotContain("hunter2");

        var wanted = new { deed = "issue_key", member = "m", newMember = true, reason = "r" };
        var issue = new { requestId = await market.Service.Approved(tenant, wanted) };
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:issue-key", issue)).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("conflict");
        (await market.Staff.Call("PUT", $"/operator/v1/tenants/{tenant}/accounts/{SimulatedCloud.Stranger}")).Must(HttpStatusCode.Conflict);

        // Neither a second offboarding nor later events of AWS change anything.
        var audits = await market.Value<long>("select count(*) from web.audit_event where action like 'tenant.offboard%'");
        await Run();
        await market.Change(subscription, "activate");
        await Eventually.Holds(() => market.Value<bool>("select count(*) = 4 from onboarding.marketplace_event"));
        (await market.State(tenant)).ShouldBe("ended");
        (await market.Value<long>("select count(*) from web.audit_event where action like 'tenant.offboard%'")).ShouldBe(audits);

        // A new subscription gets a new tenant, which the past of the old one does not affect.
        var again = await market.Subscribe();
        await market.Change(again, "activate");
        var other = await MarketplaceFixture.Tenant(await market.Register(again));
        other.ShouldNotBe(tenant);
        await market.WaitForState(other, "active");

        async Task Run()
        {
            await using var scope = market.Service.Services.CreateAsyncScope();
            await ActivatorUtilities.CreateInstance<OffboardEnded>(scope.ServiceProvider).Run(default);
        }

        Task<JsonElement> Progress() => market.Staff.GetFromJsonAsync<JsonElement>($"/operator/v1/tenants/{tenant}/offboarding");
    }

    [Fact]
    public async Task A_product_without_licences_begins_anew_after_it()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (subscription, old) = await Offboarded(market);
        var fresh = await MarketplaceFixture.Tenant(await market.Register(subscription));
        fresh.ShouldNotBe(old);
        // The end of the subscription belongs to the old tenant.
        (await market.State(fresh)).ShouldBe("pending");
        await market.Change(subscription, "activate");
        await market.WaitForState(fresh, "active");
        (await market.State(old)).ShouldBe("ended");
    }

    [Fact]
    public async Task A_new_subscription_before_the_offboarding_makes_the_new_tenant_active_and_a_late_end_lets_it_read()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (subscription, _) = await Offboarded(market);
        // Everything is long ago, and the new subscription lies between the end and the offboarding; its end is applied only with the
        // registration.
        await market.Sql("update onboarding.marketplace_event set at = at - interval '90 days'");
        await market.Sql("update onboarding.agreement set ended_at = ended_at - interval '90 days'");
        await market.Sql(
            """
            insert into onboarding.marketplace_event (id, kind, at, customer_identifier, product_code, body)
            select 'again-' || kind, kind, at + case kind when 'subscribe-success' then interval '1 day' else interval '2 days' end,
              customer_identifier, product_code, '{}'
            from (select max(at) as at, min(customer_identifier) as customer_identifier, min(product_code) as product_code
              from onboarding.marketplace_event) e,
                 (values ('subscribe-success'), ('unsubscribe-success')) v (kind)
            """);
        var fresh = await MarketplaceFixture.Tenant(await market.Register(subscription));
        (await market.State(fresh)).ShouldBe("ended");
        (await market.Value<bool>(
            "select reads_until > now() + interval '29 days' from onboarding.tenant where tenant_id = $1", fresh.Value)).ShouldBeTrue();
        await market.Change(subscription, "activate");
        await market.WaitForState(fresh, "active");
        (await market.Value<bool>("select reads_until is null from onboarding.tenant where tenant_id = $1", fresh.Value)).ShouldBeTrue();
    }

    [Fact]
    public async Task An_end_that_was_announced_and_never_came_is_one_after_two_hours()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe(product: MarketplaceFixture.Legacy);
        await market.Change(subscription, "activate");
        var tenant = await MarketplaceFixture.Tenant(await market.Register(subscription));
        await market.WaitForState(tenant, "active");
        await market.Change(subscription, "end");
        await Eventually.Holds(() => market.Value<bool>("select ending_at is not null from onboarding.agreement"));
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Conflict);
        await market.Sql("update onboarding.agreement set ending_at = now() - interval '121 minutes'");
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Accepted);
        (await market.State(tenant)).ShouldBe("ended");
        (await market.Value<string>("select state from onboarding.agreement")).ShouldBe("ended");
    }

    [Fact]
    public async Task A_role_that_a_person_allowed_at_EC2_holds_up_nothing()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        const string Role = $"arn:aws:iam::{SimulatedCloud.Customer}:role/network";
        (await market.Cloud.QueryAsync(
            SimulatedCloud.Provider, "ec2",
            $"Action=ModifyVpcEndpointServicePermissions&Version=2016-11-15&ServiceId={SimulatedCloud.ServiceId}"
            + $"&AddAllowedPrincipals.1={Uri.EscapeDataString(Role)}")).Status.ShouldBe(200);
        var subscription = await market.Subscribe();
        await market.Change(subscription, "activate");
        var tenant = await MarketplaceFixture.Tenant(await market.Register(subscription));
        await market.WaitForState(tenant, "active");
        (await market.Staff.Call(
            "PUT", $"/operator/v1/tenants/{tenant}/accounts/{SimulatedCloud.Customer}", new { principals = new[] { Role } }))
                .Must(HttpStatusCode.OK);
        await market.Change(subscription, "end");
        await market.WaitForState(tenant, "ended");
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Accepted);
        await Eventually.Holds(async () =>
        {
            await using var scope = market.Service.Services.CreateAsyncScope();
            await ActivatorUtilities.CreateInstance<OffboardEnded>(scope.ServiceProvider).Run(default);
            return await market.Value<bool>("select offboarded_at is not null from onboarding.tenant");
        });
        (await market.Principals()).ShouldBe([Role]);
    }

    private static async Task<(MarketplaceFixture.Subscription Subscription, TenantId Tenant)> Offboarded(MarketplaceFixture market)
    {
        var subscription = await market.Subscribe(product: MarketplaceFixture.Legacy);
        await market.Change(subscription, "activate");
        var tenant = await MarketplaceFixture.Tenant(await market.Register(subscription));
        await market.WaitForState(tenant, "active");
        await market.Change(subscription, "deprovision");
        await market.WaitForState(tenant, "ended");
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "asked for it" }))
            .Must(HttpStatusCode.Accepted);
        return (subscription, tenant);
    }

    // The service may close a connection of an ended binding instead of answering.
    private static async Task<bool> Refused(HttpClient client)
    {
        try
        {
            return (await client.GetAsync("/v1/me")).StatusCode == HttpStatusCode.Unauthorized;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }
}
