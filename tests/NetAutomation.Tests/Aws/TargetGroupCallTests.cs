using Amazon.ElasticLoadBalancingV2;
using Amazon.ElasticLoadBalancingV2.Model;
using Amazon.Runtime;

namespace NetAutomation.Tests.Aws;

public sealed class TargetGroupCallTests
{
    private const string Arn = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/t/1";

    [Fact]
    public async Task Register_and_deregister_send_member_lists_and_need_no_output()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(Envelope("RegisterTargets", ""));
        aws.Answer("<DeregisterTargetsResponse><DeregisterTargetsResult/></DeregisterTargetsResponse>");
        using var client = Client(aws);

        var registered = await client.RegisterTargetsAsync(new RegisterTargetsRequest
        {
            TargetGroupArn = Arn,
            Targets =
                [new TargetDescription { Id = "10.0.0.1", Port = 8443 }, new TargetDescription { Id = "10.1.0.1", Port = 8443 }],
        });
        await client.DeregisterTargetsAsync(
            new DeregisterTargetsRequest { TargetGroupArn = Arn, Targets = [new TargetDescription { Id = "10.0.0.1", Port = 8443 }] });

        registered.ResponseMetadata.RequestId.ShouldBe("req-1");
        aws.Calls.ShouldAllBe(call => call.SignatureFault == null);
        aws.Calls[0].Action.ShouldBe("RegisterTargets/2015-12-01");
        aws.Calls[0].Parameters.ShouldBe(
            $"TargetGroupArn={Arn}\nTargets.member.1.Id=10.0.0.1\nTargets.member.1.Port=8443\n"
            + "Targets.member.2.Id=10.1.0.1\nTargets.member.2.Port=8443");
        aws.Calls[1].Action.ShouldBe("DeregisterTargets/2015-12-01");
    }

    [Fact]
    public async Task Health_is_read_with_state_and_reason()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(Envelope("DescribeTargetHealth", """
            <TargetHealthDescriptions><member><HealthCheckPort>8443</HealthCheckPort><Target><Id>10.0.0.1</Id><Port>8443</Port></Target>
            <TargetHealth><State>unhealthy.draining</State><Reason>Target.FailedHealthChecks</Reason>
              <Description>d</Description></TargetHealth></member></TargetHealthDescriptions>
            """));
        using var client = Client(aws);

        var answer = await client.DescribeTargetHealthAsync(new DescribeTargetHealthRequest { TargetGroupArn = Arn });

        var health = answer.TargetHealthDescriptions.ShouldHaveSingleItem();
        health.Target!.Port.ShouldBe(8443);
        health.TargetHealth!.State!.Value.ShouldBe("unhealthy.draining");
        health.TargetHealth.Reason!.Value.ShouldBe("Target.FailedHealthChecks");
    }

    [Fact]
    public async Task Port_that_is_no_number_is_an_unmarshalling_error()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(Envelope(
            "DescribeTargetHealth",
            "<TargetHealthDescriptions><member><Target><Port>many</Port></Target></member></TargetHealthDescriptions>"));
        using var client =
            new AmazonElasticLoadBalancingV2Client(
                AwsStub.Credentials, aws.Configure<AmazonElasticLoadBalancingV2Config>(retries: 0));

        await Should.ThrowAsync<AmazonUnmarshallingException>(
            client.DescribeTargetHealthAsync(new DescribeTargetHealthRequest { TargetGroupArn = Arn }));
    }

    [Fact]
    public async Task Target_groups_are_read_with_type_and_protocol()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(Envelope("DescribeTargetGroups", """
            <TargetGroups><member><TargetGroupName>a</TargetGroupName><Protocol>TCP</Protocol><TargetType>ip</TargetType>
            <Matcher><HttpCode>200</HttpCode></Matcher></member><member><TargetGroupName>b</TargetGroupName></member></TargetGroups>
            """));
        using var client = Client(aws);

        var answer = await client.DescribeTargetGroupsAsync(new DescribeTargetGroupsRequest { TargetGroupArns = [Arn, "arn:b"] });

        aws.Only.Parameters.ShouldBe($"TargetGroupArns.member.1={Arn}\nTargetGroupArns.member.2=arn:b");
        answer.TargetGroups!.Select(group => group.TargetGroupName).ShouldBe(["a", "b"]);
        answer.TargetGroups![0].Protocol.ShouldBe(ProtocolEnum.TCP);
        answer.TargetGroups[0].TargetType.ShouldBe(TargetTypeEnum.Ip);
        answer.TargetGroups[1].TargetType.ShouldBeNull();
    }

    [Fact]
    public async Task Attributes_are_read()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(Envelope(
            "DescribeTargetGroupAttributes",
            "<Attributes><member><Key>proxy_protocol_v2.enabled</Key><Value>true</Value></member></Attributes>"));
        using var client = Client(aws);

        var read = await client.DescribeTargetGroupAttributesAsync(new DescribeTargetGroupAttributesRequest { TargetGroupArn = Arn });

        var attribute = read.Attributes.ShouldHaveSingleItem();
        (attribute.Key, attribute.Value).ShouldBe(("proxy_protocol_v2.enabled", "true"));
    }

    [Fact]
    public async Task Missing_target_group_is_a_typed_error()
    {
        await using var aws = await AwsStub.StartAsync("elasticloadbalancing");
        aws.Answer(
            "<ErrorResponse><Error><Type>Sender</Type><Code>TargetGroupNotFound</Code><Message>gone</Message></Error>"
            + "<RequestId>req-2</RequestId></ErrorResponse>", 400);
        using var client = Client(aws);

        var refusal =
            await Should.ThrowAsync<TargetGroupNotFoundException>(
                client.DescribeTargetHealthAsync(new DescribeTargetHealthRequest { TargetGroupArn = Arn }));

        refusal.ErrorCode.ShouldBe("TargetGroupNotFound");
        refusal.ErrorType.ShouldBe(ErrorType.Sender);
        refusal.RequestId.ShouldBe("req-2");
        refusal.Message.ShouldBe("gone");
    }

    private static string Envelope(string action, string result) =>
        $"<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><{action}Result>{result}</{action}Result>"
        + $"<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></{action}Response>";

    private static AmazonElasticLoadBalancingV2Client Client(AwsStub aws) =>
        new(AwsStub.Credentials, aws.Configure<AmazonElasticLoadBalancingV2Config>());
}
