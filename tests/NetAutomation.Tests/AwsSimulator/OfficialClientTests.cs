using Amazon.EC2;
using Amazon.EC2.Model;
using Amazon.Runtime;
using Amazon.SQS;
using Amazon.SQS.Model;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>The clients with which the service calls EC2 and SQS, against the simulator.</summary>
public sealed class OfficialClientTests
{
    private const string Unknown = "vpce-00000000000000000";

    [Fact]
    public async Task Connection_is_described_with_every_member_that_the_service_reads()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var ec2 = Ec2(cloud);
        var (id, _) = await cloud.CreateEndpointAsync(accepted: false);

        var answer = await ec2.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest
        {
            Filters =
                [new Filter { Name = "service-id", Values = [SimulatedCloud.ServiceId] },
                    new Filter { Name = "vpc-endpoint-state", Values = ["available", "pendingAcceptance"] }],
            MaxResults = 1000,
        });

        answer.ResponseMetadata.RequestId.ShouldNotBeNullOrEmpty();
        answer.NextToken.ShouldBeNull();
        var connection = answer.VpcEndpointConnections.ShouldHaveSingleItem();
        connection.ServiceId.ShouldBe(SimulatedCloud.ServiceId);
        connection.VpcEndpointId.ShouldBe(id);
        connection.VpcEndpointOwner.ShouldBe(SimulatedCloud.Customer);
        connection.VpcEndpointState.ShouldBe(State.PendingAcceptance);
        connection.CreationTimestamp!.Value.ToUniversalTime()
            .ShouldBe(TimeProvider.System.GetUtcNow().UtcDateTime, TimeSpan.FromMinutes(1));
        connection.VpcEndpointConnectionId.ShouldStartWith("vpce-con-");
        connection.VpcEndpointRegion.ShouldBe("us-east-1");
        connection.Tags.ShouldBeNull();
    }

    [Fact]
    public async Task Connections_are_described_page_by_page()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var ec2 = Ec2(cloud);
        var created =
            await cloud.ControlAsync(
                HttpMethod.Post, "/control/endpoints:bulk", new { count = 12, accounts = new[] { SimulatedCloud.Customer } }, 201);
        var pages = new List<List<string>>();
        string? next = null;
        do
        {
            var page =
                await ec2.DescribeVpcEndpointConnectionsAsync(
                    new DescribeVpcEndpointConnectionsRequest { MaxResults = 5, NextToken = next });
            pages.Add(page.VpcEndpointConnections.ConvertAll(each => each.VpcEndpointId));
            next = page.NextToken;
        }
        while (next is not null);

        pages.Select(page => page.Count).ShouldBe([5, 5, 2]);
        pages.SelectMany(page => page).Order()
            .ShouldBe(created.GetProperty("endpoints").EnumerateArray().Select(each => each.GetProperty("vpceId").GetString()!).Order());
    }

    [Fact]
    public async Task Accept_and_reject_list_the_items_that_were_not_done()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var ec2 = Ec2(cloud);
        var (id, _) = await cloud.CreateEndpointAsync(accepted: false);

        var accepted =
            await ec2.AcceptVpcEndpointConnectionsAsync(
                new AcceptVpcEndpointConnectionsRequest { ServiceId = SimulatedCloud.ServiceId, VpcEndpointIds = [id, Unknown] });
        var rejected =
            await ec2.RejectVpcEndpointConnectionsAsync(
                new RejectVpcEndpointConnectionsRequest { ServiceId = SimulatedCloud.ServiceId, VpcEndpointIds = [id] });

        var item = accepted.Unsuccessful.ShouldHaveSingleItem();
        item.ResourceId.ShouldBe(Unknown);
        item.Error.Code.ShouldBe("InvalidVpcEndpoint.NotFound");
        rejected.Unsuccessful.ShouldBeNull();
        await Eventually.Holds(async () => await cloud.StateAsync(id) == "rejected");
    }

    [Fact]
    public async Task Dry_run_and_wrong_parameter_are_exceptions_with_code_status_and_request_id()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var ec2 = Ec2(cloud);

        var dry = await Should.ThrowAsync<AmazonEC2Exception>(ec2.AcceptVpcEndpointConnectionsAsync(
            new AcceptVpcEndpointConnectionsRequest { DryRun = true, ServiceId = SimulatedCloud.ServiceId, VpcEndpointIds = [Unknown] }));
        var wrong =
            await Should.ThrowAsync<AmazonEC2Exception>(
                ec2.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest { MaxResults = 1 }));

        (dry.ErrorCode, (int)dry.StatusCode).ShouldBe(("DryRunOperation", 412));
        (wrong.ErrorCode, (int)wrong.StatusCode).ShouldBe(("InvalidParameterValue", 400));
        wrong.RequestId.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Principals_are_added_listed_and_removed()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var ec2 = Ec2(cloud);
        var stranger = $"arn:aws:iam::{SimulatedCloud.Stranger}:root";

        var changed = await ec2.ModifyVpcEndpointServicePermissionsAsync(new ModifyVpcEndpointServicePermissionsRequest
        {
            ServiceId = SimulatedCloud.ServiceId,
            AddAllowedPrincipals = [stranger],
            RemoveAllowedPrincipals = [$"arn:aws:iam::{SimulatedCloud.Customer}:root"],
        });
        var listed =
            await ec2.DescribeVpcEndpointServicePermissionsAsync(
                new DescribeVpcEndpointServicePermissionsRequest { ServiceId = SimulatedCloud.ServiceId });

        changed.ReturnValue.ShouldBe(true);
        listed.AllowedPrincipals.ShouldHaveSingleItem().Principal.ShouldBe(stranger);
    }

    [Fact]
    public async Task Service_is_described_with_private_name_and_regions()
    {
        var options = SimulatedCloud.Options();
        await using var cloud = await SimulatedCloud.StartAsync(
            options with
            {
                Services = [options.Services[0] with { PrivateDnsName = "api.example.com", SupportedRegions = ["eu-west-1"] }]
            });
        using var ec2 = Ec2(cloud);

        await ec2.StartVpcEndpointServicePrivateDnsVerificationAsync(
            new StartVpcEndpointServicePrivateDnsVerificationRequest { ServiceId = SimulatedCloud.ServiceId });
        var answer =
            await ec2.DescribeVpcEndpointServiceConfigurationsAsync(
                new DescribeVpcEndpointServiceConfigurationsRequest { ServiceIds = [SimulatedCloud.ServiceId] });

        var service = answer.ServiceConfigurations.ShouldHaveSingleItem();
        service.ServiceName.ShouldBe(SimulatedCloud.ServiceName);
        service.ServiceState.ShouldBe(ServiceState.Available);
        service.AcceptanceRequired.ShouldBe(true);
        service.PrivateDnsName.ShouldBe("api.example.com");
        service.PrivateDnsNameConfiguration.Type.ShouldBe("TXT");
        service.PrivateDnsNameConfiguration.Value.ShouldNotBeNullOrEmpty();
        service.SupportedRegions.Select(each => each.Region).ShouldBe(["us-east-1", "eu-west-1"]);
    }

    [Fact]
    public async Task Throttled_call_is_one_attempt_without_the_clients_own_repetition()
    {
        await using var cloud =
            await SimulatedCloud.StartAsync(
                SimulatedCloud.Options() with { Ec2 = new Ec2Options { BucketCapacity = 1, RefillPerSecond = 0.001 } });
        using var ec2 = Ec2(cloud);
        await ec2.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest());

        var refused =
            await Should.ThrowAsync<AmazonEC2Exception>(
                ec2.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest()));

        (refused.ErrorCode, (int)refused.StatusCode).ShouldBe(("RequestLimitExceeded", 503));
        (await cloud.ControlAsync(HttpMethod.Get, "/control/calls")).EnumerateArray()
            .Single(each => each.GetProperty("operation").GetString() == "ec2.DescribeVpcEndpointConnections").GetProperty("calls")
                .GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task Message_is_waited_for_received_with_its_time_and_deleted()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var sqs = Sqs(cloud);
        const string Body = "{\"text\":\"ä, \\\"quoted\\\"\"}";
        var waiting = sqs.ReceiveMessageAsync(new ReceiveMessageRequest
        {
            QueueUrl = cloud.QueueUrl, MaxNumberOfMessages = 10, WaitTimeSeconds = 20, VisibilityTimeout = 0,
            MessageSystemAttributeNames = [MessageSystemAttributeName.SentTimestamp.Value],
        });

        await sqs.SendMessageAsync(new SendMessageRequest { QueueUrl = cloud.QueueUrl, MessageBody = Body });
        var message = (await waiting).Messages.ShouldHaveSingleItem();
        await sqs.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = cloud.QueueUrl, ReceiptHandle = message.ReceiptHandle });

        message.Body.ShouldBe(Body);
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(message.Attributes["SentTimestamp"], null))
            .ShouldBe(TimeProvider.System.GetUtcNow(), TimeSpan.FromMinutes(1));
        (await sqs.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = cloud.QueueUrl })).Messages.ShouldBeNull();
    }

    [Fact]
    public async Task Missing_queue_and_wrong_receipt_are_typed_errors()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        using var sqs = Sqs(cloud);

        var missing =
            await Should.ThrowAsync<QueueDoesNotExistException>(
                sqs.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = cloud.QueueUrl + "2" }));
        await Should.ThrowAsync<ReceiptHandleIsInvalidException>(
            sqs.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = cloud.QueueUrl, ReceiptHandle = "no receipt" }));

        (missing.ErrorCode, missing.ErrorType).ShouldBe(("AWS.SimpleQueueService.NonExistentQueue", ErrorType.Sender));
    }

    private static AmazonEC2Client Ec2(SimulatedCloud cloud) => new(
        Credentials,
        new AmazonEC2Config
        {
            ServiceURL = cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1", MaxErrorRetry = 0, MaxStaleConnectionRetries = 0
        });

    private static AmazonSQSClient Sqs(SimulatedCloud cloud) => new(
        Credentials,
        new AmazonSQSConfig { ServiceURL = cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1", MaxStaleConnectionRetries = 0 });

    private static BasicAWSCredentials Credentials => new("AKIA" + SimulatedCloud.Provider, "secret-of-" + SimulatedCloud.Provider);
}
