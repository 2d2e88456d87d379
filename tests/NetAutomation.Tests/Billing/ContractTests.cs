using Amazon.MarketplaceEntitlementService;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Purchasing.Rights;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>Entitlements that are bought at AWS Marketplace by contract.</summary>
public sealed class ContractTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_contract_is_a_right_until_AWS_no_longer_lists_it()
    {
        await using var fixture =
            await MeteringFixture.Start(postgres, product => product with { Dimensions = ["usd", "bgp-contract", "acl-contract"] });
        var until = MeteringFixture.Start(-24);
        var holder = await fixture.Subscribe(entitlements: new { bgp_contract = 1, unknown = 1 }, expiresAt: until);
        var other = await fixture.Subscribe();
        using var client = new AmazonMarketplaceEntitlementServiceClient(
            new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider),
            new AmazonMarketplaceEntitlementServiceConfig
            {
                ServiceURL = fixture.Cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1"
            });
        var options = new MarketplaceOptions { Contracts = { ["bgp_contract"] = new ContractBlock { Block = "bgp", Major = 2 } } };

        await Sync();
        (await Rights(holder)).ShouldBe($"bgp 2 contract {until:yyyy-MM-dd HH}");
        (await Rights(other)).ShouldBe("");
        (await fixture.Value<long>("select count(*) from billing.charge")).ShouldBe(0);
        // Within an hour AWS is asked again only if something changed.
        await fixture.Cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{holder.Agreement}:end");
        await Sync();
        (await Rights(holder)).ShouldNotBe("");
        await fixture.Sql("update billing.payer set contracts_at = now() - interval '61 minutes'");
        await Sync();
        (await Rights(holder)).ShouldBe("");

        await fixture.Cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{holder.Agreement}:activate");
        await fixture.Sql("update billing.payer set contracts_at = null");
        await Sync();
        (await Rights(holder)).ShouldBe($"bgp 2 contract {until:yyyy-MM-dd HH}");
        (await fixture.Value<string>(
            "select string_agg(action, ',' order by id) from web.audit_event where tenant_id = $1", holder.Tenant.Value))
            .ShouldBe("entitlement.granted,entitlement.ended,entitlement.granted");

        async Task Sync()
        {
            await using var db = fixture.Db();
            await new SyncContracts(
                db, new Contracts(client, TimeProvider.System), Options.Create(options), NullLogger<SyncContracts>.Instance).Run(default);
        }

        Task<string> Rights(MeteringFixture.Customer customer) => fixture.Value<string>(
            """
            select coalesce(string_agg(concat_ws(' ', block, major, kind, to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD HH24')), ','), '')
            from purchasing.entitlement where tenant_id = $1 and tstzrange(starts_at, ends_at) @> now()
            """,
            customer.Tenant.Value);
    }
}
