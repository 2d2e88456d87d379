using Amazon.EC2;
using Amazon.EC2.Model;

namespace NetAutomation.Tests.Aws;

public sealed class EndpointConnectionCalls
{
    private const string Xmlns = "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"";

    [Fact]
    public async Task Describing_connections_sends_filters_and_reads_every_member()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"""
            <?xml version="1.0" encoding="UTF-8"?>
            <DescribeVpcEndpointConnectionsResponse {Xmlns}><requestId>req-1</requestId><vpcEndpointConnectionSet><item>
              <serviceId>vpce-svc-1</serviceId><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointOwner>111122223333</vpcEndpointOwner>
              <vpcEndpointState>pendingAcceptance</vpcEndpointState><creationTimestamp>2026-01-02T03:04:05.678Z</creationTimestamp>
              <dnsEntrySet><item><dnsName>a.example</dnsName><hostedZoneId>Z1</hostedZoneId></item></dnsEntrySet>
              <networkLoadBalancerArnSet><item>arn:nlb</item></networkLoadBalancerArnSet><ipAddressType>ipv4</ipAddressType>
              <vpcEndpointConnectionId>vpce-con-1</vpcEndpointConnectionId><tagSet/><vpcEndpointRegion>eu-west-1</vpcEndpointRegion>
              <somethingNew>ignored</somethingNew>
            </item></vpcEndpointConnectionSet><nextToken>t2</nextToken></DescribeVpcEndpointConnectionsResponse>
            """);
        using var client = Client(aws);

        var answer = await client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest
        {
            Filters = [new Filter { Name = "service-id", Values = ["vpce-svc-1"] }, new Filter { Name = "vpc-endpoint-state", Values = ["available", "pendingAcceptance"] }],
            MaxResults = 1000,
            NextToken = "a b+c/=&",
        });

        aws.Only.SignatureFault.ShouldBeNull();
        aws.Only.Line.ShouldBe("POST /");
        aws.Only.Headers["Content-Type"].ShouldBe("application/x-www-form-urlencoded; charset=utf-8");
        aws.Only.Headers["X-Amz-Security-Token"].ShouldBe("session-token");
        aws.Only.Body.ShouldBe(
            "Action=DescribeVpcEndpointConnections&Filter.1.Name=service-id&Filter.1.Value.1=vpce-svc-1&Filter.2.Name=vpc-endpoint-state"
            + "&Filter.2.Value.1=available&Filter.2.Value.2=pendingAcceptance&MaxResults=1000&NextToken=a%20b%2Bc%2F%3D%26&Version=2016-11-15");
        answer.ResponseMetadata.RequestId.ShouldBe("req-1");
        answer.NextToken.ShouldBe("t2");
        var connection = answer.VpcEndpointConnections.ShouldHaveSingleItem();
        connection.ServiceId.ShouldBe("vpce-svc-1");
        connection.VpcEndpointId.ShouldBe("vpce-1");
        connection.VpcEndpointOwner.ShouldBe("111122223333");
        connection.VpcEndpointState.ShouldBe(State.PendingAcceptance);
        connection.CreationTimestamp.ShouldBe(new DateTime(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc));
        connection.CreationTimestamp!.Value.Kind.ShouldBe(DateTimeKind.Utc);
        connection.DnsEntries.ShouldHaveSingleItem().HostedZoneId.ShouldBe("Z1");
        connection.NetworkLoadBalancerArns.ShouldBe(["arn:nlb"]);
        connection.IpAddressType.ShouldBe(IpAddressType.Ipv4);
        connection.VpcEndpointConnectionId.ShouldBe("vpce-con-1");
        connection.VpcEndpointRegion.ShouldBe("eu-west-1");
        connection.Tags.ShouldBeNull();
        connection.GatewayLoadBalancerArns.ShouldBeNull();
    }

    [Fact]
    public async Task Unknown_state_is_kept_as_text()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"<DescribeVpcEndpointConnectionsResponse {Xmlns}><vpcEndpointConnectionSet><item><vpcEndpointState>frozen</vpcEndpointState></item></vpcEndpointConnectionSet></DescribeVpcEndpointConnectionsResponse>");
        using var client = Client(aws);

        var answer = await client.DescribeVpcEndpointConnectionsAsync(new DescribeVpcEndpointConnectionsRequest());

        aws.Only.Body.ShouldBe("Action=DescribeVpcEndpointConnections&Version=2016-11-15");
        answer.VpcEndpointConnections!.Single().VpcEndpointState!.Value.ShouldBe("frozen");
        answer.NextToken.ShouldBeNull();
    }

    [Fact]
    public async Task Accept_lists_the_connections_that_were_not_accepted()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"""
            <AcceptVpcEndpointConnectionsResponse {Xmlns}><requestId>r</requestId><unsuccessful><item>
            <error><code>InvalidVpcEndpointId.NotFound</code><message>The Vpc Endpoint Id 'vpce-2' does not exist</message></error><resourceId>vpce-2</resourceId>
            </item></unsuccessful></AcceptVpcEndpointConnectionsResponse>
            """);
        using var client = Client(aws);

        var answer = await client.AcceptVpcEndpointConnectionsAsync(new AcceptVpcEndpointConnectionsRequest { ServiceId = "vpce-svc-1", VpcEndpointIds = ["vpce-1", "vpce-2"] });

        aws.Only.SignatureFault.ShouldBeNull();
        aws.Only.Action.ShouldBe("AcceptVpcEndpointConnections/2016-11-15");
        aws.Only.Parameters.ShouldBe("ServiceId=vpce-svc-1\nVpcEndpointId.1=vpce-1\nVpcEndpointId.2=vpce-2");
        var item = answer.Unsuccessful.ShouldHaveSingleItem();
        item.ResourceId.ShouldBe("vpce-2");
        item.Error!.Code.ShouldBe("InvalidVpcEndpointId.NotFound");
        item.Error.Message.ShouldBe("The Vpc Endpoint Id 'vpce-2' does not exist");
    }

    [Fact]
    public async Task Reject_without_unsuccessful_items_leaves_the_list_null()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"<RejectVpcEndpointConnectionsResponse {Xmlns}><requestId>r</requestId><unsuccessful/></RejectVpcEndpointConnectionsResponse>");
        using var client = Client(aws);

        var answer = await client.RejectVpcEndpointConnectionsAsync(new RejectVpcEndpointConnectionsRequest { ServiceId = "vpce-svc-1", VpcEndpointIds = ["vpce-1"] });

        aws.Only.Action.ShouldBe("RejectVpcEndpointConnections/2016-11-15");
        answer.Unsuccessful.ShouldBeNull();
    }

    [Fact]
    public async Task Dry_run_answers_412_as_exception_with_its_code()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer("<Response><Errors><Error><Code>DryRunOperation</Code><Message>Request would have succeeded</Message></Error></Errors><RequestID>req-9</RequestID></Response>", 412);
        using var client = Client(aws);

        var refusal = await Should.ThrowAsync<AmazonEC2Exception>(client.AcceptVpcEndpointConnectionsAsync(new AcceptVpcEndpointConnectionsRequest { DryRun = true, ServiceId = "vpce-svc-1" }));

        aws.Only.Parameters.ShouldBe("DryRun=true\nServiceId=vpce-svc-1");
        refusal.ErrorCode.ShouldBe("DryRunOperation");
        ((int)refusal.StatusCode).ShouldBe(412);
        refusal.RequestId.ShouldBe("req-9");
        refusal.Message.ShouldBe("Request would have succeeded");
    }

    [Fact]
    public async Task Permissions_are_changed_and_read_by_plural_parameters()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"""
            <ModifyVpcEndpointServicePermissionsResponse {Xmlns}><addedPrincipalSet><item><principalType>Account</principalType><principal>arn:aws:iam::111122223333:root</principal>
            <servicePermissionId>vpce-svc-perm-1</servicePermissionId><serviceId>vpce-svc-1</serviceId></item></addedPrincipalSet><return>true</return></ModifyVpcEndpointServicePermissionsResponse>
            """);
        aws.Answer($"<DescribeVpcEndpointServicePermissionsResponse {Xmlns}><allowedPrincipals><item><principalType>All</principalType><principal>*</principal></item></allowedPrincipals></DescribeVpcEndpointServicePermissionsResponse>");
        using var client = Client(aws);

        var changed = await client.ModifyVpcEndpointServicePermissionsAsync(new ModifyVpcEndpointServicePermissionsRequest
        {
            ServiceId = "vpce-svc-1",
            AddAllowedPrincipals = ["arn:aws:iam::111122223333:root"],
            RemoveAllowedPrincipals = ["*"],
        });
        var listed = await client.DescribeVpcEndpointServicePermissionsAsync(new DescribeVpcEndpointServicePermissionsRequest { ServiceId = "vpce-svc-1" });

        aws.Calls[0].Parameters.ShouldBe("AddAllowedPrincipals.1=arn:aws:iam::111122223333:root\nRemoveAllowedPrincipals.1=*\nServiceId=vpce-svc-1");
        changed.ReturnValue.ShouldBe(true);
        changed.AddedPrincipals.ShouldHaveSingleItem().PrincipalType.ShouldBe(PrincipalType.Account);
        aws.Calls[1].SignatureFault.ShouldBeNull();
        listed.AllowedPrincipals.ShouldHaveSingleItem().Principal.ShouldBe("*");
    }

    [Fact]
    public async Task Service_configuration_is_read_with_its_nested_lists()
    {
        await using var aws = await AwsStub.StartAsync("ec2");
        aws.Answer($"""
            <DescribeVpcEndpointServiceConfigurationsResponse {Xmlns}><serviceConfigurationSet><item><serviceType><item><serviceType>Interface</serviceType></item></serviceType>
            <serviceId>vpce-svc-1</serviceId><serviceName>com.amazonaws.vpce.eu-central-1.vpce-svc-1</serviceName><serviceState>Available</serviceState>
            <acceptanceRequired>true</acceptanceRequired><privateDnsNameConfiguration><state>pendingVerification</state><type>TXT</type><value>v</value><name>n</name></privateDnsNameConfiguration>
            <supportedRegionSet><item><region>eu-west-1</region><serviceState>Closed</serviceState></item></supportedRegionSet><remoteAccessEnabled>false</remoteAccessEnabled>
            </item></serviceConfigurationSet></DescribeVpcEndpointServiceConfigurationsResponse>
            """);
        using var client = Client(aws);

        var answer = await client.DescribeVpcEndpointServiceConfigurationsAsync(new DescribeVpcEndpointServiceConfigurationsRequest { ServiceIds = ["vpce-svc-1"] });

        aws.Only.Parameters.ShouldBe("ServiceId.1=vpce-svc-1");
        var service = answer.ServiceConfigurations.ShouldHaveSingleItem();
        service.ServiceType.ShouldHaveSingleItem().ServiceType.ShouldBe(ServiceType.Interface);
        service.ServiceState.ShouldBe(ServiceState.Available);
        service.AcceptanceRequired.ShouldBe(true);
        service.ManagesVpcEndpoints.ShouldBeNull();
        service.PrivateDnsNameConfiguration!.State.ShouldBe(DnsNameState.PendingVerification);
        service.SupportedRegions.ShouldHaveSingleItem().ServiceState.ShouldBe("Closed");
        service.RemoteAccessEnabled.ShouldBe(false);
    }

    private static AmazonEC2Client Client(AwsStub aws) => new(AwsStub.Credentials, aws.Configure<AmazonEC2Config>());
}
