using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.MarketplaceEntitlementService;
using Amazon.MarketplaceEntitlementService.Model;

namespace NetAutomation.Tests.Aws;

public sealed class MarketplaceCallTests
{
    [Fact]
    public async Task Resolve_reads_the_buyer_and_leaves_absent_members_null()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson("""{"CustomerAWSAccountId":"111122223333","ProductCode":"pc","LicenseArn":"arn:l"}""");
        using var client = Metering(aws);

        var buyer = await client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "tok+en" });

        aws.Only.SignatureFault.ShouldBeNull();
        aws.Only.Headers["Content-Type"].ShouldBe("application/x-amz-json-1.1");
        aws.Only.Headers["X-Amz-Target"].ShouldBe("AWSMPMeteringService.ResolveCustomer");
        System.Text.Json.JsonDocument.Parse(aws.Only.Body).RootElement.GetProperty("RegistrationToken").GetString().ShouldBe("tok+en");
        buyer.CustomerAWSAccountId.ShouldBe("111122223333");
        buyer.LicenseArn.ShouldBe("arn:l");
        buyer.CustomerIdentifier.ShouldBeNull();
    }

    [Fact]
    public async Task Batch_sends_whole_seconds_and_reads_results_and_unprocessed_records()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson("""
            {"Results":[{"UsageRecord":{"Timestamp":1767323045.0,"CustomerAWSAccountId":"1","LicenseArn":"arn:l","Dimension":"runs",
               "Quantity":5},"MeteringRecordId":"id","Status":"DuplicateRecord"}],
             "UnprocessedRecords":[{"Timestamp":1767326645,"Dimension":"runs","Quantity":0}]}
            """);
        using var client = Metering(aws);
        var hour = new DateTime(2026, 1, 2, 3, 4, 5, 999, DateTimeKind.Utc);

        var answer = await client.BatchMeterUsageAsync(new BatchMeterUsageRequest
        {
            UsageRecords =
            [
                new UsageRecord
                {
                    Timestamp = hour, CustomerAWSAccountId = "1", LicenseArn = "arn:l", Dimension = "runs", Quantity = 0,
                    UsageAllocations =
                        [new UsageAllocation { AllocatedUsageQuantity = 0, Tags = [new Tag { Key = "block", Value = "bgp-audit" }] }],
                },
            ],
        });

        aws.Only.SignatureFault.ShouldBeNull();
        aws.Only.Headers["X-Amz-Target"].ShouldBe("AWSMPMeteringService.BatchMeterUsage");
        aws.Only.Body.ShouldBe(
            """{"UsageRecords":[{"CustomerAWSAccountId":"1","Dimension":"runs","LicenseArn":"arn:l","Quantity":0,"Timestamp":1767323045"""
            + ""","UsageAllocations":[{"AllocatedUsageQuantity":0,"Tags":[{"Key":"block","Value":"bgp-audit"}]}]}]}""");
        var result = answer.Results.ShouldHaveSingleItem();
        result.Status!.Value.ShouldBe("DuplicateRecord");
        result.UsageRecord!.Timestamp.ShouldBe(new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        result.UsageRecord.Timestamp!.Value.Kind.ShouldBe(DateTimeKind.Utc);
        answer.UnprocessedRecords.ShouldHaveSingleItem().Quantity.ShouldBe(0);
    }

    [Theory]
    [InlineData("InvalidTokenException", typeof(InvalidTokenException))]
    [InlineData("ExpiredTokenException", typeof(ExpiredTokenException))]
    [InlineData("com.amazonaws.marketplace#InternalServiceErrorException:http://x", typeof(InternalServiceErrorException))]
    [InlineData("SomethingNewException", typeof(AmazonAWSMarketplaceMeteringException))]
    public async Task Refused_token_is_a_typed_error(string type, Type expected)
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson($$"""{"__type":"{{type}}","Message":"no"}""", 400, ("x-amzn-RequestId", "req-3"));
        using var client = Metering(aws);

        var refusal =
            await Should.ThrowAsync<AmazonAWSMarketplaceMeteringException>(
                client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }));

        refusal.ShouldBeOfType(expected);
        refusal.Message.ShouldBe("no");
        refusal.RequestId.ShouldBe("req-3");
        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Entitlements_are_read_through_an_empty_page()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson("""{"Entitlements":[],"NextToken":"n"}""");
        aws.AnswerJson(
            """
            {"Entitlements":[{"ProductCode":"pc","Dimension":"devices","CustomerAWSAccountId":"1","LicenseArn":"arn:l",
              "Value":{"IntegerValue":50},"ExpirationDate":1798761600.5}]}
            """);
        using var client =
            new AmazonMarketplaceEntitlementServiceClient(AwsStub.Credentials, aws.Configure<AmazonMarketplaceEntitlementServiceConfig>());
        var request =
            new GetEntitlementsRequest
            {
                ProductCode = "pc", Filter = new Dictionary<string, List<string>> { ["LICENSE_ARN"] = ["arn:l"] },
                MaxResults = 25
            };

        var empty = await client.GetEntitlementsAsync(request);
        request.NextToken = empty.NextToken;
        var page = await client.GetEntitlementsAsync(request);

        empty.Entitlements.ShouldBeEmpty();
        aws.Calls[0].Headers["X-Amz-Target"].ShouldBe("AWSMPEntitlementService.GetEntitlements");
        aws.Calls[0].Body.ShouldBe("""{"Filter":{"LICENSE_ARN":["arn:l"]},"MaxResults":25,"ProductCode":"pc"}""");
        aws.Calls[1].SignatureFault.ShouldBeNull();
        page.NextToken.ShouldBeNull();
        var entitlement = page.Entitlements.ShouldHaveSingleItem();
        entitlement.Value!.IntegerValue.ShouldBe(50);
        entitlement.Value.BooleanValue.ShouldBeNull();
        entitlement.ExpirationDate.ShouldBe(new DateTime(2027, 1, 1, 0, 0, 0, 500, DateTimeKind.Utc));
    }

    [Fact]
    public async Task Wrong_filter_is_an_error_of_the_entitlement_service()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson("""{"__type":"InvalidParameterException","message":"no"}""", 400);
        using var client =
            new AmazonMarketplaceEntitlementServiceClient(AwsStub.Credentials, aws.Configure<AmazonMarketplaceEntitlementServiceConfig>());

        var refusal =
            await Should.ThrowAsync<AmazonMarketplaceEntitlementServiceException>(
                client.GetEntitlementsAsync(new GetEntitlementsRequest { ProductCode = "pc" }));

        refusal.ErrorCode.ShouldBe("InvalidParameterException");
    }

    [Fact]
    public async Task Client_without_credentials_takes_those_of_the_chain()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson("{}");
        var config = aws.Configure<AmazonAWSMarketplaceMeteringConfig>();
        config.DefaultAWSCredentials = AwsStub.Credentials;
        using var client = new AmazonAWSMarketplaceMeteringClient(config);

        await client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" });

        aws.Only.SignatureFault.ShouldBeNull();
    }

    private static AmazonAWSMarketplaceMeteringClient Metering(AwsStub aws) =>
        new(AwsStub.Credentials, aws.Configure<AmazonAWSMarketplaceMeteringConfig>());
}
