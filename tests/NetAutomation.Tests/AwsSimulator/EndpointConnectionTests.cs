using Microsoft.Extensions.Time.Testing;

namespace NetAutomation.Tests.AwsSimulator;

public sealed class EndpointConnectionTests
{
    private static readonly DateTimeOffset _noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Accepted_endpoint_is_pending_until_the_lag_has_passed()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var (id, _) = await cloud.CreateEndpointAsync(accepted: false);
        (await cloud.StateAsync(id)).ShouldBe("pendingAcceptance");

        (await cloud.DecideAsync("Accept", id)).ShouldBeEmpty();
        (await cloud.StateAsync(id)).ShouldBe("pending");
        clock.Advance(TimeSpan.FromMilliseconds(20));
        (await cloud.StateAsync(id)).ShouldBe("available");
        (await cloud.DecideAsync("Accept", id)).ShouldBe("InvalidState");
    }

    [Fact]
    public async Task Rejected_endpoint_stays_until_its_owner_deletes_it()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var (id, _) = await cloud.CreateEndpointAsync(accepted: false);
        (await cloud.DecideAsync("Reject", id)).ShouldBeEmpty();
        (await cloud.StateAsync(id)).ShouldBe("rejected");
        (await cloud.DecideAsync("Accept", id)).ShouldBe("InvalidState");

        var (_, refused) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", $"Action=DeleteVpcEndpoints&VpcEndpointId.1={id}");
        SimulatedCloud.Values(refused, "code").ShouldBe(["InvalidVpcEndpoint.NotFound"]);
        var (_, deleted) = await cloud.QueryAsync(SimulatedCloud.Customer, "ec2", $"Action=DeleteVpcEndpoints&VpcEndpointId.1={id}");
        SimulatedCloud.Values(deleted, "code").ShouldBeEmpty();
        (await cloud.StateAsync(id)).ShouldBe("deleting");
        clock.Advance(TimeSpan.FromMilliseconds(20));
        (await cloud.StateAsync(id)).ShouldBe("deleted");
        clock.Advance(TimeSpan.FromHours(1));
        (await cloud.StateAsync(id)).ShouldBeNull();
    }

    [Fact]
    public async Task Account_that_is_not_an_allowed_principal_cannot_see_the_service()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var create = $"Action=CreateVpcEndpoint&VpcEndpointType=Interface&VpcId=vpc-1&ServiceName={SimulatedCloud.ServiceName}";

        var (status, refusal) = await cloud.QueryAsync(SimulatedCloud.Stranger, "ec2", create);
        status.ShouldBe(400);
        SimulatedCloud.Values(refusal, "Code").ShouldBe(["InvalidServiceName"]);

        var modify = $"Action=ModifyVpcEndpointServicePermissions&ServiceId={SimulatedCloud.ServiceId}"
            + $"&AddAllowedPrincipals.1=arn%3Aaws%3Aiam%3A%3A{SimulatedCloud.Stranger}%3Aroot";
        var (_, added) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", modify);
        SimulatedCloud.Values(added, "principalType").ShouldBe(["Account"]);
        var (_, again) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", modify);
        SimulatedCloud.Values(again, "principalType").ShouldBeEmpty();
        var (_, created) = await cloud.QueryAsync(SimulatedCloud.Stranger, "ec2", create);
        SimulatedCloud.Values(created, "ownerId").ShouldBe([SimulatedCloud.Stranger]);
    }

    [Fact]
    public async Task Connections_are_described_in_pages_that_miss_and_repeat_nothing()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var created = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            created.Add((await cloud.CreateEndpointAsync(accepted: false)).Id);
        }

        var described = new List<string>();
        string? token = null;
        do
        {
            var (status, page) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2",
                "Action=DescribeVpcEndpointConnections&MaxResults=5" + (token is null ? "" : "&NextToken=" + Uri.EscapeDataString(token)));
            status.ShouldBe(200);
            SimulatedCloud.Values(page, "vpcEndpointId").Count.ShouldBeLessThanOrEqualTo(5);
            described.AddRange(SimulatedCloud.Values(page, "vpcEndpointId"));
            token = SimulatedCloud.Values(page, "nextToken").SingleOrDefault();
        }
        while (token is not null);
        described.ShouldBe(created);

        var (none, _) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", "Action=DescribeVpcEndpointConnections&MaxResults=4");
        none.ShouldBe(400);
        var (_, foreign) = await cloud.QueryAsync(SimulatedCloud.Customer, "ec2", "Action=DescribeVpcEndpointConnections");
        SimulatedCloud.Values(foreign, "vpcEndpointId").ShouldBeEmpty();
    }

    [Fact]
    public async Task Filters_are_joined_by_and_their_values_by_or_with_case_kept()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var (waiting, _) = await cloud.CreateEndpointAsync(accepted: false);
        var (available, _) = await cloud.CreateEndpointAsync(accepted: true);

        (await Find("Filter.1.Name=vpc-endpoint-state&Filter.1.Value.1=pendingAcceptance&Filter.1.Value.2=available"))
            .ShouldBe([waiting, available]);
        const string ownedBy =
            "Filter.1.Name=vpc-endpoint-state&Filter.1.Value.1=available&Filter.2.Name=vpc-endpoint-owner&Filter.2.Value.1=";
        (await Find(ownedBy + SimulatedCloud.Customer)).ShouldBe([available]);
        (await Find(ownedBy + SimulatedCloud.Stranger)).ShouldBeEmpty();
        (await Find("Filter.1.Name=vpc-endpoint-state&Filter.1.Value.1=Available")).ShouldBeEmpty();

        async Task<List<string>> Find(string filters) =>
            SimulatedCloud.Values(
                (await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", "Action=DescribeVpcEndpointConnections&" + filters)).Body,
                "vpcEndpointId");
    }

    [Theory]
    [InlineData("ServiceId=vpce-svc-00000000000000000&VpcEndpointId.1=vpce-00000000000000000", 400, "InvalidVpcEndpointServiceId.NotFound")]
    [InlineData($"ServiceId={SimulatedCloud.ServiceId}&VpcEndpointId.1=nonsense", 400, "InvalidVpcEndpointId.Malformed")]
    [InlineData($"ServiceId={SimulatedCloud.ServiceId}", 400, "MissingParameter")]
    [InlineData($"ServiceId={SimulatedCloud.ServiceId}&VpcEndpointId.1=vpce-00000000000000000&DryRun=true", 412, "DryRunOperation")]
    public async Task Accept_that_cannot_be_tried_is_refused_as_a_whole(string form, int status, string code)
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var (actual, body) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", "Action=AcceptVpcEndpointConnections&" + form);
        actual.ShouldBe(status);
        SimulatedCloud.Values(body, "Code").ShouldBe([code]);
    }

    [Fact]
    public async Task Wrong_secret_and_unknown_key_are_refused_with_403()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var (wrong, mismatch) = await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", "Action=DescribeVpcEndpoints", secret: "guess");
        wrong.ShouldBe(403);
        SimulatedCloud.Values(mismatch, "Code").ShouldBe(["SignatureDoesNotMatch"]);
        var (unknown, nobody) = await cloud.QueryAsync("999999999999", "elasticloadbalancing", "Action=DescribeTargetGroups");
        unknown.ShouldBe(403);
        SimulatedCloud.Values(nobody, "Code").ShouldBe(["InvalidClientTokenId"]);
    }
}
