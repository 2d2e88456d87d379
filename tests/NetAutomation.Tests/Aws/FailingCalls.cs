using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.EC2;
using Amazon.EC2.Model;
using Amazon.ElasticLoadBalancingV2;
using Amazon.ElasticLoadBalancingV2.Model;
using Amazon.Runtime;
using Amazon.SQS;
using Amazon.SQS.Model;

namespace NetAutomation.Tests.Aws;

public sealed class FailingCalls
{
    private const string Empty = "<DescribeVpcEndpointConnectionsResponse/>";

    [Theory]
    [InlineData("RequestLimitExceeded", 503)]
    [InlineData("EC2ThrottledException", 400)]
    public async Task Throttled_call_is_signed_and_sent_again(string code, int status)
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"<Response><Errors><Error><Code>{code}</Code><Message>slow</Message></Error></Errors><RequestID>r</RequestID></Response>", status);
        aws.Answer(Empty);
        using var client = Ec2(aws);

        await client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest());

        aws.Calls.Count.ShouldBe(2);
        aws.Calls.ShouldAllBe(call => call.SignatureFault == null);
    }

    [Fact]
    public async Task Throttling_without_end_stops_after_three_attempts()
    {
        await using var aws = await AwsStub.StartAsync("aws-marketplace");
        for (var i = 0; i < 5; i++)
            aws.AnswerJson("""{"__type":"ThrottlingException","message":"slow"}""", 400);
        using var client = new AmazonAWSMarketplaceMeteringClient(AwsStub.Credentials, aws.Configure<AmazonAWSMarketplaceMeteringConfig>());

        await Should.ThrowAsync<ThrottlingException>(client.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = "t" }));

        aws.Calls.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Wrong_parameter_is_not_sent_again()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer("<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>", 400);
        using var client = Ec2(aws);

        (await Should.ThrowAsync<AmazonEC2Exception>(client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest()))).ErrorCode.ShouldBe("InvalidParameterValue");

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Html_from_a_proxy_is_an_error_of_the_service()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        const string Html = "<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>";
        aws.Answer(Html, 502, "text/html");
        aws.Answer(Html, 502, "text/html");
        using var client = Ec2(aws, retries: 1);

        var refusal = await Should.ThrowAsync<AmazonEC2Exception>(client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest()));

        ((int)refusal.StatusCode).ShouldBe(502);
        refusal.ErrorCode.ShouldBeNullOrEmpty();
        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Html_in_place_of_a_json_error_is_an_error_of_the_service()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.Answer("<html>bad gateway</html>", 502, "text/html");
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>(retries: 0));

        var refusal = await Should.ThrowAsync<AmazonSQSException>(client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = "q" }));

        ((int)refusal.StatusCode).ShouldBe(502);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<DescribeVpcEndpointConnectionsResponse><vpcEndpointConnectionSet><item>")]
    [InlineData("<html>signed in by the hotel network</html>")]
    [InlineData("""{"Messages":[]}""")]
    [InlineData("<DescribeVpcEndpointConnectionsResponse><vpcEndpointConnectionSet><item><creationTimestamp>soon</creationTimestamp></item></vpcEndpointConnectionSet></DescribeVpcEndpointConnectionsResponse>")]
    [InlineData("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><DescribeVpcEndpointConnectionsResponse><nextToken>&e;</nextToken></DescribeVpcEndpointConnectionsResponse>")]
    public async Task Broken_xml_with_status_200_is_an_unmarshalling_error(string body)
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer(body, headers: ("x-amzn-RequestId", "req-4"));
        using var client = Ec2(aws, retries: 0);

        var broken = await Should.ThrowAsync<AmazonUnmarshallingException>(client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest()));

        broken.RequestId.ShouldBe("req-4");
        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Broken_answer_is_fetched_again_before_it_is_an_error()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer("<DescribeVpcEndpointConnectionsResponse><vpcEndpointConn");
        aws.Answer(Empty);
        using var client = Ec2(aws);

        await client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest());

        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Query_answer_without_its_result_is_an_unmarshalling_error()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer("<html/>");
        using var client = new AmazonElasticLoadBalancingV2Client(AwsStub.Credentials, aws.Configure<AmazonElasticLoadBalancingV2Config>(retries: 0));

        await Should.ThrowAsync<AmazonUnmarshallingException>(client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"Messages":[{"MessageId":1}]}""")]
    [InlineData("""{"Messages":[{"MessageId":"1" """)]
    [InlineData("<html>bad</html>")]
    public async Task Broken_json_with_status_200_is_an_unmarshalling_error(string body)
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerJson(body);
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>(retries: 0));

        await Should.ThrowAsync<AmazonUnmarshallingException>(client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = "q" }));

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Cut_connection_is_sent_again()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.AnswerWith(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        aws.Answer(Empty);
        using var client = Ec2(aws);

        await client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest());

        aws.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Silent_endpoint_ends_the_one_attempt_by_the_time_limit()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.AnswerWith(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var config = aws.Configure<AmazonEC2Config>(retries: 0);
        config.Timeout = TimeSpan.FromMilliseconds(300);
        using var client = new AmazonEC2Client(AwsStub.Credentials, config);

        await Should.ThrowAsync<Exception>(client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest()));

        aws.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Cancelled_call_ends_at_once()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        using var cancel = new CancellationTokenSource();
        aws.AnswerWith(async context =>
        {
            await cancel.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>());

        await Should.ThrowAsync<OperationCanceledException>(client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = "q" }, cancel.Token));

        aws.Calls.Count.ShouldBe(1);
    }

    private static AmazonEC2Client Ec2(AwsStub aws, int? retries = null) => new(AwsStub.Credentials, aws.Configure<AmazonEC2Config>(retries));
}
