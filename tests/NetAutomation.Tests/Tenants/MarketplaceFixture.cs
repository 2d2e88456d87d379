using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Amazon.AWSMarketplaceMetering;
using Amazon.EC2;
using Amazon.MarketplaceEntitlementService;
using Amazon.Runtime;
using Amazon.SQS;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.AwsSimulator;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;
using Npgsql;
using SimulatedProduct = NetAutomation.AwsSimulator.MarketplaceOptions;

namespace NetAutomation.Tests.Tenants;

/// <summary>The service and a simulated AWS that sells it: with concurrent agreements as <c>pc</c>, without as <c>old</c>.</summary>
internal sealed partial class MarketplaceFixture : IAsyncDisposable
{
    public const string Legacy = "old";
    private readonly NpgsqlDataSource _owner;
    private bool _lost;

    private MarketplaceFixture(SimulatedCloud cloud, ServiceHost service, TestDatabase database)
    {
        (Cloud, Service) = (cloud, service);
        _owner = NpgsqlDataSource.Create(database.Owner);
        Staff = service.Operator();
    }

    public SimulatedCloud Cloud { get; }

    public ServiceHost Service { get; }

    public HttpClient Staff { get; }

    public static Task<MarketplaceFixture> Start(PostgresServer postgres, params string[] settings) =>
        Start(postgres, product => product, settings);

    public static async Task<MarketplaceFixture> Start(
        PostgresServer postgres, Func<SimulatedProduct, SimulatedProduct> set, params string[] settings)
    {
        var options = SimulatedCloud.Options();
        var cloud = await SimulatedCloud.StartAsync(options with
        {
            Services = [new ServiceOptions(SimulatedCloud.ServiceId)],
            Marketplace =
                set(options.Marketplace with { LegacyProducts = [Legacy], NoticeQueue = "events", Dimensions = ["usd", "bgp_contract"] }),
        });
        var credentials = new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
        var url = cloud.AwsUrl.ToString();
        var database = await postgres.Create();
        var service = await ServiceHost.Start(
            database,
            [
                $"Onboarding:ServiceId={SimulatedCloud.ServiceId}",
                $"Onboarding:ServiceName={SimulatedCloud.ServiceName}",
                "Onboarding:PendingInterval=00:00:00.2",
                "Onboarding:ReconcileInterval=00:00:00.5",
                "Onboarding:SecureCookie=false",
                $"Onboarding:StsUrl={url}",
                $"Marketplace:QueueUrl={cloud.QueueUrl}",
                "Marketplace:ProductCodes:0=pc",
                $"Marketplace:ProductCodes:1={Legacy}",
                .. settings,
            ],
            builder =>
            {
                builder.Services.AddSingleton<IAmazonEC2>(
                    new AmazonEC2Client(credentials, new AmazonEC2Config { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonSQS>(
                    new AmazonSQSClient(credentials, new AmazonSQSConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddSingleton<IAmazonAWSMarketplaceMetering>(new AmazonAWSMarketplaceMeteringClient(
                    credentials,
                    new AmazonAWSMarketplaceMeteringConfig { ServiceURL = url, AuthenticationRegion = "us-east-1", MaxErrorRetry = 0 }));
                builder.Services.AddSingleton<IAmazonMarketplaceEntitlementService>(new AmazonMarketplaceEntitlementServiceClient(
                    credentials, new AmazonMarketplaceEntitlementServiceConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
            });
        return new MarketplaceFixture(cloud, service, database);
    }

    /// <summary>Creates a subscription at AWS Marketplace that is not confirmed yet.</summary>
    public async Task<Subscription> Subscribe(string account = SimulatedCloud.Customer, string? product = null, object? entitlements = null)
    {
        var created =
            await Cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account, productCode = product, entitlements }, 201);
        return new Subscription(created.GetProperty("id").GetString()!, account, created.GetProperty("registrationToken").GetString()!);
    }

    /// <summary>Lets AWS Marketplace change the subscription: activate, end, deprovision or fail.</summary>
    public Task Change(Subscription subscription, string what, string query = "") =>
        Cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{subscription.Id}:{what}{query}");

    public static async Task<(HttpStatusCode Status, string Page)> Post(
        HttpClient browser, string path, params (string Name, string Value)[] fields)
    {
        using var form = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));
        var answer = await browser.PostAsync($"/marketplace/registration{path}", form);
        return (answer.StatusCode, WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()));
    }

    /// <summary>A browser that Marketplace has sent to the registration page.</summary>
    public async Task<HttpClient> Register(Subscription subscription)
    {
        var browser = Service.Browser();
        (await Post(browser, "", ("x-amzn-marketplace-token", subscription.Token))).Status.ShouldBe(HttpStatusCode.SeeOther);
        return browser;
    }

    public static async Task<string> Page(HttpClient browser) =>
        WebUtility.HtmlDecode(await browser.GetStringAsync("/marketplace/registration"));

    public static Task Shows(HttpClient browser, string text) =>
        Eventually.Holds(async () => (await Page(browser)).Contains(text, StringComparison.Ordinal));

    public static async Task<TenantId> Tenant(HttpClient browser) =>
        TenantId.Parse(TenantOnPage().Match(await Page(browser)).Groups["id"].Value);

    /// <summary>Creates a tenant with an endpoint and its first key.</summary>
    public async Task<(TenantId Tenant, HttpClient Client, string Endpoint, HttpClient Browser)> Onboard(Subscription subscription)
    {
        await Change(subscription, "activate");
        var browser = await Register(subscription);
        await Shows(browser, SimulatedCloud.ServiceName);
        var endpoint = await Endpoint(subscription.Account);
        await Shows(browser, "Show my first API key");
        var (_, page) = await Post(browser, "/key");
        return (await Tenant(browser), Service.Customer(endpoint, ApiKey().Match(page).Value), endpoint, browser);
    }

    public async Task<string> Endpoint(string account) =>
        (await Cloud.ControlAsync(HttpMethod.Post, "/control/endpoints", new { account }, 201)).GetProperty("vpceId").GetString()!;

    public async Task<string> State(TenantId tenant) =>
        (await Staff.GetFromJsonAsync<JsonElement>($"/operator/v1/tenants/{tenant}")).GetProperty("state").GetString()!;

    public Task WaitForState(TenantId tenant, string state) => Eventually.Holds(async () => await State(tenant) == state);

    /// <summary>Applies the waiting events.</summary>
    public async Task ApplyEvents()
    {
        await using var scope = Service.Services.CreateAsyncScope();
        await ActivatorUtilities.CreateInstance<SweepEvents>(scope.ServiceProvider).Run(default);
    }

    /// <summary>ARNs of the principals to whom EC2 shows the endpoint service.</summary>
    public async Task<List<string>> Principals() => SimulatedCloud.Values(
        (await Cloud.QueryAsync(
            SimulatedCloud.Provider, "ec2", $"Action=DescribeVpcEndpointServicePermissions&ServiceId={SimulatedCloud.ServiceId}")).Body,
            "principal");

    public Task<T> Value<T>(string sql, params object[] values) => _owner.Value<T>(sql, values);

    public Task Sql(string sql, params object[] values) => _owner.Execute(sql, values);

    /// <summary>GetCallerIdentity as an AWS SDK signs it with these credentials (Signature Version 4, query parameters).</summary>
    public string Presign(string account, string challenge, string header = "x-netautomation-challenge", string? secret = null)
    {
        var time = TimeProvider.System.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var scope = $"{time[..8]}/us-east-1/sts/aws4_request";
        var signed = header.Length == 0 ? "host" : $"host;{header}";
        var query = string.Join('&', new (string Name, string Value)[]
        {
            ("Action", "GetCallerIdentity"), ("Version", "2011-06-15"), ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", $"AKIA{account}/{scope}"),
            ("X-Amz-Date", time), ("X-Amz-Expires", "900"), ("X-Amz-SignedHeaders", signed),
        }.Select(each => $"{each.Name}={Uri.EscapeDataString(each.Value)}"));
        var headers = $"host:{Cloud.AwsUrl.Authority}\n" + (header.Length == 0 ? "" : $"{header}:{challenge}\n");
        var canonical = $"GET\n/\n{query}\n{headers}\n{signed}\n{Hex(SHA256.HashData([]))}";
        var toSign = $"AWS4-HMAC-SHA256\n{time}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = scope.Split('/')
            .Aggregate(
                Encoding.UTF8.GetBytes("AWS4" + (secret ?? "secret-of-" + account)),
                (k, part) => HMACSHA256.HashData(k, Encoding.UTF8.GetBytes(part)));
        return $"{Cloud.AwsUrl}?{query}&X-Amz-Signature={Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)))}";
    }

    public async Task CutAws()
    {
        _lost = true;
        await Cloud.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        if (!_lost)
        {
            await Cloud.DisposeAsync();
        }

        await _owner.DisposeAsync();
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    [GeneratedRegex("id=\"tenant\">(?<id>[^<]+)<", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TenantOnPage();

    [GeneratedRegex("nak_[A-Za-z0-9_-]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ApiKey();

    internal sealed record Subscription(string Id, string Account, string Token);
}
