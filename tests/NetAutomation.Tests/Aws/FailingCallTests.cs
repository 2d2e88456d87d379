using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.ElasticLoadBalancingV2;
using Amazon.ElasticLoadBalancingV2.Model;
using Amazon.Runtime;

namespace NetAutomation.Tests.Aws;

public sealed class FailingCallTests
{
    private const string Empty = "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult/></DescribeTargetGroupsResponse>";

    [Theory]
    [InlineData("RequestLimitExceeded", 503)]
    [InlineData("Throttling", 400)]
    public async Task Throttled_call_is_signed_and_sent_again(string code, int status)
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(
            $"<ErrorResponse><Error><Code>{code}</Code><Message>slow</Message></Error><RequestId>r</RequestId></ErrorResponse>", status);
        aws.Answer(Empty);
        using var client = Elb(aws);

        await client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest());

        aws.Calls.Count.ShouldBe(2);
        aws.Calls.ShouldAllBe(call => call.SignatureFault == null);
    }

    [Fact]
    public async Task Throttling_without_end_stops_after_three_attempts()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        for (var i = 0; i < 5; i++)
            aws.AnswerJson("""{"__type":"ThrottlingException","message":"slow"}""", 400);
        using var client = Metering(aws);

        var refusal =
            await Should.ThrowAsync<AmazonAWSMarketplaceMeteringException>(
                client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }));

        refusal.ErrorCode.ShouldBe("ThrottlingException");
        aws.Calls.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Wrong_parameter_is_not_sent_again()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(
            "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>no</Message></Error>"
            + "<RequestId>r</RequestId></ErrorResponse>", 400);
        using var client = Elb(aws);

        (await Should.ThrowAsync<AmazonElasticLoadBalancingV2Exception>(
            client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()))).ErrorCode.ShouldBe("ValidationError");

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Html_from_a_proxy_is_an_error_of_the_service()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        const string Html = "<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>";
        aws.Answer(Html, 502, "text/html");
        aws.Answer(Html, 502, "text/html");
        using var client = Elb(aws, retries: 1);

        var refusal =
            await Should.ThrowAsync<AmazonElasticLoadBalancingV2Exception>(
                client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()));

        ((int)refusal.StatusCode).ShouldBe(502);
        refusal.ErrorCode.ShouldBeNullOrEmpty();
        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Html_in_place_of_a_json_error_is_an_error_of_the_service()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.Answer("<html>bad gateway</html>", 502, "text/html");
        using var client = Metering(aws, retries: 0);

        var refusal =
            await Should.ThrowAsync<AmazonAWSMarketplaceMeteringException>(
                client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }));

        ((int)refusal.StatusCode).ShouldBe(502);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member>")]
    [InlineData("<html>signed in by the hotel network</html>")]
    [InlineData("""{"TargetGroups":[]}""")]
    [InlineData(
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>"
        + "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member><TargetGroupName>&e;</TargetGroupName></member>"
        + "</TargetGroups></DescribeTargetGroupsResult></DescribeTargetGroupsResponse>")]
    public async Task Broken_xml_with_status_200_is_an_unmarshalling_error(string body)
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(body, headers: ("x-amzn-RequestId", "req-4"));
        using var client = Elb(aws, retries: 0);

        var broken =
            await Should.ThrowAsync<AmazonUnmarshallingException>(client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()));

        broken.RequestId.ShouldBe("req-4");
        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Broken_answer_is_fetched_again_before_it_is_an_error()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer("<DescribeTargetGroupsResponse><DescribeTarg");
        aws.Answer(Empty);
        using var client = Elb(aws);

        await client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest());

        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Query_answer_without_its_result_is_an_unmarshalling_error()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer("<html/>");
        using var client = Elb(aws, retries: 0);

        await Should.ThrowAsync<AmazonUnmarshallingException>(client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"ProductCode":1}""")]
    [InlineData("""{"ProductCode":"1" """)]
    [InlineData("<html>bad</html>")]
    public async Task Broken_json_with_status_200_is_an_unmarshalling_error(string body)
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        aws.AnswerJson(body);
        using var client = Metering(aws, retries: 0);

        await Should.ThrowAsync<AmazonUnmarshallingException>(
            client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }));

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Cut_connection_is_sent_again()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.AnswerWith(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        aws.Answer(Empty);
        using var client = Elb(aws);

        await client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest());

        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Silent_endpoint_ends_the_one_attempt_by_the_time_limit()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.AnswerWith(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var config = aws.Configure<AmazonElasticLoadBalancingV2Config>(retries: 0);
        config.Timeout = TimeSpan.FromMilliseconds(300);
        using var client = new AmazonElasticLoadBalancingV2Client(AwsStub.Credentials, config);

        await Should.ThrowAsync<Exception>(client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()));

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Cancelled_call_ends_at_once()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        using var cancel = new CancellationTokenSource();
        aws.AnswerWith(async context =>
        {
            await cancel.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var client = Metering(aws);

        await Should.ThrowAsync<OperationCanceledException>(
            client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }, cancel.Token));

        aws.Calls.Count.ShouldBe(1);
    }

    private static AmazonElasticLoadBalancingV2Client Elb(AwsStub aws, int? retries = null) =>
        new(AwsStub.Credentials, aws.Configure<AmazonElasticLoadBalancingV2Config>(retries));

    private static AmazonAWSMarketplaceMeteringClient Metering(AwsStub aws, int? retries = null) =>
        new(AwsStub.Credentials, aws.Configure<AmazonAWSMarketplaceMeteringConfig>(retries));
}
