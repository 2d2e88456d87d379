using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Amazon.AWSMarketplaceMetering;
using Amazon.EC2;
using Amazon.Runtime;
using Amazon.SQS;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Registration;

/// <summary>The path from Marketplace to the first key, against the simulated AWS.</summary>
public sealed class FirstKeyTests(PostgresServer postgres) : IAsyncLifetime
{
    private SimulatedCloud _cloud = null!;
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync()
    {
        var options = SimulatedCloud.Options();
        _cloud = await SimulatedCloud.StartAsync(options with { Services = [new ServiceOptions(SimulatedCloud.ServiceId)] });
        var credentials = new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
        var url = _cloud.AwsUrl.ToString();
        _service = await ServiceHost.Start(
            await postgres.Create(),
            [
                $"Onboarding:ServiceId={SimulatedCloud.ServiceId}",
                $"Onboarding:ServiceName={SimulatedCloud.ServiceName}",
                "Onboarding:PendingInterval=00:00:00.2",
                "Onboarding:ReconcileInterval=00:00:00.5",
                "Onboarding:SecureCookie=false",
                $"Marketplace:QueueUrl={_cloud.QueueUrl}",
                "Marketplace:ProductCodes:0=pc",
            ],
            builder =>
            {
                builder.Services.AddSingleton<IAmazonEC2>(
                    new AmazonEC2Client(credentials, new AmazonEC2Config { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonSQS>(
                    new AmazonSQSClient(credentials, new AmazonSQSConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonAWSMarketplaceMetering>(new AmazonAWSMarketplaceMeteringClient(
                    credentials, new AmazonAWSMarketplaceMeteringConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
            });
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _cloud.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_buyer_gets_from_the_subscription_to_a_working_key(bool confirmedBeforeRegistration)
    {
        var subscription =
            await _cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer }, 201);
        if (confirmedBeforeRegistration)
        {
            await Activate(subscription);
        }

        using var browser = await Register(subscription);
        if (!confirmedBeforeRegistration)
        {
            (await browser.GetStringAsync("/marketplace/registration")).ShouldContain("<b id=\"state\">pending</b>");
            await Activate(subscription);
        }

        await PageShows(browser, SimulatedCloud.ServiceName);
        (await browser.PostAsync("/marketplace/registration/key", null)).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        var endpoint = await CreateEndpoint(SimulatedCloud.Customer);
        await PageShows(browser, "Show my first API key");

        var key = await FirstKey(browser);
        using var client = _service.Customer(endpoint, key);
        var me = await client.GetFromJsonAsync<JsonElement>("/v1/me");
        me.GetProperty("endpointId").GetString().ShouldBe(endpoint);
        me.GetProperty("role").GetString().ShouldBe("admin");
        me.GetProperty("state").GetString().ShouldBe("active");
        (await client.GetFromJsonAsync<JsonElement>("/v1/audit")).GetProperty("items").EnumerateArray()
            .Single(row => row.GetProperty("action").GetString() == "member.created").GetProperty("subject").GetString()
            .ShouldBe(me.GetProperty("memberId").GetString());
        (await browser.PostAsync("/marketplace/registration/key", null)).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await browser.GetStringAsync("/marketplace/registration")).ShouldNotContain(key);
    }

    [Fact]
    public async Task A_stranger_is_rejected_and_the_operator_sees_why()
    {
        // Everyone is an allowed principal, so that a stranger can request a connection.
        await _cloud.QueryAsync(
            SimulatedCloud.Provider, "ec2",
            $"Action=ModifyVpcEndpointServicePermissions&ServiceId={SimulatedCloud.ServiceId}&AddAllowedPrincipals.1=%2A");
        var endpoint = await CreateEndpoint(SimulatedCloud.Stranger);
        await Eventually.Holds(async () => await _cloud.StateAsync(endpoint) == "rejected");
        var row = await Connection(endpoint);
        row.GetProperty("verdict").GetString().ShouldBe("reject");
        row.GetProperty("rule").GetString().ShouldBe("stranger");
        row.GetProperty("tenantId").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task A_rejected_tenant_loses_the_endpoint_and_its_open_connections()
    {
        var (client, endpoint, browser) = await Onboarded();
        var row = await Connection(endpoint);
        using var staff = _service.Operator();
        var rejected =
            await staff.PostAsJsonAsync(
                $"/operator/v1/endpoint-connections/{row.GetProperty("id").GetString()}:reject", new { reason = "Unpaid since May." });
        rejected.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Status(client, "/v1/me")).ShouldBeOneOf(HttpStatusCode.Unauthorized, null);
        await Eventually.Holds(async () => await _cloud.StateAsync(endpoint) == "rejected");
        await PageShows(browser, "Unpaid since May.");
        // EC2 never accepts a rejected connection; the service shows the item's failure and goes on.
        var accept = $"/operator/v1/endpoint-connections/{row.GetProperty("id").GetString()}:accept";
        (await staff.PostAsJsonAsync(accept, new { reason = "Paid." })).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Status(client, "/v1/me")).ShouldBeOneOf(HttpStatusCode.Unauthorized, null);
        await Eventually.Holds(
            async () =>
                (await Connection(endpoint)).GetProperty("advice")
                    .GetString()?.Contains("creates it anew", StringComparison.Ordinal) == true);
        await PageShows(browser, "Delete this endpoint and create it anew");
        var again = await staff.PostAsJsonAsync(accept, new { reason = "Paid." });
        again.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await again.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString()
            .ShouldBe("/problems/endpoint_connection_rejected");
    }

    [Fact]
    public async Task A_deleted_endpoint_is_refused_within_a_round()
    {
        var (client, endpoint, _) = await Onboarded();
        await _cloud.ControlAsync(HttpMethod.Delete, $"/control/endpoints/{endpoint}");
        await Eventually.Holds(async () => await Status(client, "/v1/me") == HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task After_the_agreement_only_reads_are_left()
    {
        var subscription =
            await _cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer }, 201);
        await Activate(subscription);
        using var browser = await Register(subscription);
        await PageShows(browser, SimulatedCloud.ServiceName);
        var endpoint = await CreateEndpoint(SimulatedCloud.Customer);
        await PageShows(browser, "Show my first API key");
        using var client = _service.Customer(endpoint, await FirstKey(browser));
        await _cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{Id(subscription)}:end");
        await Eventually.Holds(
            async () => (await client.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("state").GetString() == "ended");
        var write = await client.PostAsJsonAsync("/v1/members", new { name = "n", role = "viewer" });
        write.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await write.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString().ShouldBe("/problems/tenant_suspended");
    }

    [Fact]
    public async Task A_forged_token_registers_nobody()
    {
        using var browser = _service.Browser();
        using var form = new FormUrlEncodedContent([new("x-amzn-marketplace-token", "forged")]);
        var answer = await browser.PostAsync("/marketplace/registration", form);
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
        (await browser.GetStringAsync("/marketplace/registration")).ShouldContain("opened from AWS Marketplace");
        using var staff = _service.Operator();
        (await staff.GetFromJsonAsync<JsonElement>("/operator/v1/tenants")).GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task An_unreadable_message_leaves_the_queue_and_the_next_one_counts()
    {
        await _cloud.ControlAsync(HttpMethod.Post, "/control/queues/events/messages", new { body = "not json" }, 201);
        await _cloud.ControlAsync(HttpMethod.Post, "/control/queues/events/messages", new { body = new { action = "unheard-of" } }, 201);
        var (client, _, _) = await Onboarded();
        (await client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.Holds(async () =>
        {
            var queue = (await _cloud.ControlAsync(HttpMethod.Get, "/control/queues")).EnumerateArray().Single();
            return queue.GetProperty("visible").GetInt32() + queue.GetProperty("inFlight").GetInt32() == 0;
        });
    }

    private async Task<(HttpClient Client, string Endpoint, HttpClient Browser)> Onboarded()
    {
        var subscription =
            await _cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer }, 201);
        await Activate(subscription);
        var browser = await Register(subscription);
        await PageShows(browser, SimulatedCloud.ServiceName);
        var endpoint = await CreateEndpoint(SimulatedCloud.Customer);
        await PageShows(browser, "Show my first API key");
        var client = _service.Customer(endpoint, await FirstKey(browser));
        (await client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        return (client, endpoint, browser);
    }

    private static string Id(JsonElement subscription) => subscription.GetProperty("id").GetString()!;

    private Task<JsonElement> Activate(JsonElement subscription) =>
        _cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{Id(subscription)}:activate");

    private async Task<HttpClient> Register(JsonElement subscription)
    {
        var browser = _service.Browser();
        using var form =
            new FormUrlEncodedContent([new("x-amzn-marketplace-token", subscription.GetProperty("registrationToken").GetString()!)]);
        var answer = await browser.PostAsync("/marketplace/registration", form);
        answer.StatusCode.ShouldBe(HttpStatusCode.SeeOther);
        answer.Headers.Location!.ToString().ShouldBe("/marketplace/registration");
        var cookie = answer.Headers.GetValues("Set-Cookie").Single();
        cookie.ShouldContain("httponly", Case.Insensitive);
        cookie.ShouldContain("samesite=lax", Case.Insensitive);
        cookie.ShouldNotContain(subscription.GetProperty("registrationToken").GetString()!);
        return browser;
    }

    private static Task PageShows(HttpClient browser, string text) => Eventually.Holds(async () =>
        WebUtility.HtmlDecode(await browser.GetStringAsync("/marketplace/registration")).Contains(text, StringComparison.Ordinal));

    private static async Task<string> FirstKey(HttpClient browser)
    {
        var page = await (await browser.PostAsync("/marketplace/registration/key", null)).Content.ReadAsStringAsync();
        var start = page.IndexOf("nak_", StringComparison.Ordinal);
        start.ShouldBeGreaterThan(0, page);
        return page.Substring(start, 47);
    }

    private async Task<string> CreateEndpoint(string account) =>
        (await _cloud.ControlAsync(HttpMethod.Post, "/control/endpoints", new { account }, 201)).GetProperty("vpceId").GetString()!;

    private async Task<JsonElement> Connection(string endpoint)
    {
        using var staff = _service.Operator();
        var list = await staff.GetFromJsonAsync<JsonElement>("/operator/v1/endpoint-connections");
        return list.GetProperty("items").EnumerateArray().Single(each => each.GetProperty("endpointId").GetString() == endpoint);
    }

    // The service may close a connection of an ended binding instead of answering.
    private static async Task<HttpStatusCode?> Status(HttpClient client, string path)
    {
        try
        {
            return (await client.GetAsync(path)).StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
