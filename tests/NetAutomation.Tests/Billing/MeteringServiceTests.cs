using System.Net;
using Amazon.Runtime;
using Amazon.SQS;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Marketplace;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>The service with its queue and its jobs when an agreement ends.</summary>
public sealed class MeteringServiceTests(PostgresServer postgres)
{
    [Fact]
    public async Task The_end_of_an_agreement_reports_its_last_usage_at_once_and_a_timer_reports_that_of_a_dead_process()
    {
        await using var fixture = await MeteringFixture.Start(postgres);
        var credentials = new BasicAWSCredentials("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
        var url = fixture.Cloud.AwsUrl.ToString();
        // The rows of a process that died between the end of an agreement and its report.
        var left = await fixture.Subscribe();
        await fixture.Charge(left, 30_000, MeteringFixture.Start(0));
        await fixture.Sql("update billing.payer set closed_at = now() where tenant_id = $1", left.Tenant.Value);
        await using var service = await ServiceHost.Start(
            fixture.Database,
            [$"Marketplace:QueueUrl={fixture.Cloud.QueueUrl}", "Marketplace:ProductCodes:0=pc",
                $"Marketplace:Dimension={MeteringFixture.Dimension}", $"Marketplace:UnitMicros={MeteringFixture.Unit}"],
            builder =>
            {
                builder.Services.AddSingleton<IAmazonSQS>(
                    new AmazonSQSClient(credentials, new AmazonSQSConfig { ServiceURL = url, AuthenticationRegion = "us-east-1" }));
                builder.Services.AddKeyedSingleton(UsageMeter.Client, fixture.Metering);
            });
        await Eventually.Holds(async () => (await fixture.SimulatorRecords(left)).Count == 1);
        var customer = await fixture.Subscribe();
        await fixture.Sql(
            """
            insert into onboarding.agreement (tenant_id, id, account, license_arn, product_code, agreement_id, state)
            values ($1, $2, $3, $4, 'pc', $5, 'active')
            """,
            customer.Tenant.Value, Guid.CreateVersion7(), customer.Account, customer.License!, customer.Agreement);
        await fixture.Charge(customer, 25_000, MeteringFixture.Start(0));
        await fixture.Cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{customer.Agreement}:end");
        await Eventually.Holds(async () => (await fixture.SimulatorRecords(customer)).Count == 1);
        (await fixture.SimulatorRecords(customer))[0].Quantity.ShouldBe(2);

        using var staff = service.Operator();
        await Eventually.Holds(async () =>
            (await staff.Call("GET", "/operator/v1/metering-records?state=accepted")).Must(HttpStatusCode.OK).Json.GetProperty("items")
                .GetArrayLength() == 2);
        var item = (await staff.Call("GET", "/operator/v1/metering-records?state=accepted")).Json.GetProperty("items")[0];
        (item.GetProperty("quantity").GetInt64(), item.GetProperty("attempts").GetInt64(), item.GetProperty("account").GetString())
            .ShouldBe((2L, 1L, customer.Account));
        var id = item.GetProperty("id").GetString();
        (await staff.Call("GET", $"/operator/v1/metering-records/{id}")).Must(HttpStatusCode.OK).Id.ShouldBe(id);
        (await staff.Call("POST", $"/operator/v1/metering-records/{id}:carry", new { reason = "sample" })).Must(HttpStatusCode.Conflict);
        (await staff.Call("POST", $"/operator/v1/metering-records/{id}:confirm", new { evidence = "" }))
            .Must(HttpStatusCode.UnprocessableEntity);
        (await staff.Call("GET", "/operator/v1/metering-records?state=lost")).Must(HttpStatusCode.UnprocessableEntity);
        (await staff.Call("GET", "/operator/v1/metering")).Must(HttpStatusCode.OK).Json.GetProperty("level").GetString().ShouldBe("ok");
    }
}
