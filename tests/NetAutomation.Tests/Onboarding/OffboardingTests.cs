using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Onboarding.Tenants;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Onboarding;

/// <summary>What is left of a tenant that left: its bills, receipts and audit, and nothing else. The simulated AWS judges.</summary>
public sealed class OffboardingTests(PostgresServer postgres)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_is_left_but_the_books(bool byOperator)
    {
        await using var market = await Market.Start(postgres);
        var subscription = await market.Subscribe();
        var (tenant, client, endpoint, browser) = await market.Onboard(subscription);
        var site = (await client.Call("POST", "/v1/sites", new { name = "main" })).Must(HttpStatusCode.Created).Id;
        (await client.Call("POST", "/v1/credentials", new { name = "login", kind = "password", username = "admin", password = "hunter2hunter2" })).Must(HttpStatusCode.Created);
        (await client.Call("POST", "/v1/connectors", new { name = "c1", siteId = site })).Must(HttpStatusCode.Created);
        await market.Sql(
            """
            insert into scheduling.schedule (tenant_id, id, name, cron, anchor, time_zone, run, misfire, overlap, enabled, created_by, member, next_at)
            values ($1, $1, 'nightly', '0 0 * * *', now(), 'UTC', '{}', 'skip', 'skip', true, $1, 'test', now() + interval '1 day')
            """,
            tenant.Value);
        await market.Sql(
            "insert into billing.invoice (tenant_id, id, kind, currency, period) values ($1, $1, 'statement', 'USD', daterange('2026-10-01', '2026-11-01'))", tenant.Value);

        // In force: AWS Marketplace ends it first.
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Conflict);
        await market.Say(subscription, "end");
        await market.Becomes(tenant, "ended");
        (await client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);
        (await client.Call("POST", "/v1/sites", new { name = "new" })).Must(HttpStatusCode.Forbidden);
        (await market.Principals()).ShouldContain($"arn:aws:iam::{SimulatedCloud.Customer}:root");
        await Run();
        (await market.State(tenant)).ShouldBe("ended");
        (await client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);

        if (byOperator)
        {
            (await market.Staff.Call("POST", $"/operator/v1/tenants/{tenant}:offboard", new { reason = "left" })).Must(HttpStatusCode.Accepted);
        }
        else
        {
            await market.Sql("update onboarding.tenant set reads_until = now() - interval '1 second'");
        }

        await SimulatedCloud.EventuallyAsync(async () =>
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
        (await Market.Page(browser)).ShouldContain("opened from AWS Marketplace");
        (await market.Value<long>(
            """
            select (select count(*) from onboarding.api_key where revoked_at is null) + (select count(*) from onboarding.binding where ended_at is null)
                 + (select count(*) from scheduling.schedule where enabled) + (select count(*) from connectors.connector where state <> 'revoked')
                 + (select count(*) from connectors.join_token) + (select count(*) from onboarding.registration_session)
                 + (select count(*) from inventory.credential where ct <> '' or wrapped_dek <> '') + (select count(*) from inventory.tenant_key where wrapped <> '')
                 + (select count(*) from onboarding.tenant_account where active)
            """)).ShouldBe(0);

        (await market.Staff.Call("GET", $"/operator/v1/invoices?tenantId={tenant}")).Must(HttpStatusCode.OK).Json.GetProperty("items").GetArrayLength().ShouldBe(1);
        var kept = (await market.Staff.Call("GET", $"/operator/v1/tenants/{tenant}/export")).Must(HttpStatusCode.OK).Text;
        kept.ShouldContain("\"tenant.offboarded\"");
        kept.ShouldContain("\"invoice\"");
        kept.ShouldNotContain("hunter2");

        // Again changes nothing, and what AWS still says of it neither.
        var audits = await market.Value<long>("select count(*) from platform.audit_event where action like 'tenant.offboard%'");
        await Run();
        await market.Say(subscription, "activate");
        await SimulatedCloud.EventuallyAsync(() => market.Value<bool>("select count(*) = 4 from onboarding.marketplace_event"));
        (await market.State(tenant)).ShouldBe("ended");
        (await market.Value<long>("select count(*) from platform.audit_event where action like 'tenant.offboard%'")).ShouldBe(audits);

        // Who subscribes again is somebody new, whom the old one's past does not touch.
        var again = await market.Subscribe();
        await market.Say(again, "activate");
        var other = await Market.Tenant(await market.Register(again));
        other.ShouldNotBe(tenant);
        await market.Becomes(other, "active");

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
        await using var market = await Market.Start(postgres);
        var subscription = await market.Subscribe(product: Market.Legacy);
        await market.Say(subscription, "activate");
        var old = await Market.Tenant(await market.Register(subscription));
        await market.Becomes(old, "active");
        await market.Say(subscription, "deprovision");
        await market.Becomes(old, "ended");
        (await market.Staff.Call("POST", $"/operator/v1/tenants/{old}:offboard", new { reason = "asked for it" })).Must(HttpStatusCode.Accepted);
        var fresh = await Market.Tenant(await market.Register(subscription));
        fresh.ShouldNotBe(old);
        // That it once ended is the other's.
        (await market.State(fresh)).ShouldBe("pending");
        await market.Say(subscription, "activate");
        await market.Becomes(fresh, "active");
        (await market.State(old)).ShouldBe("ended");
    }

    // A connection of a dead binding may be closed instead of answered.
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
