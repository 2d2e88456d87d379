using Amazon;
using Amazon.AWSMarketplaceMetering;
using Amazon.EC2;
using Amazon.ElasticLoadBalancingV2;
using Amazon.MarketplaceEntitlementService;
using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.SQS;

namespace NetAutomation.Tests.Aws;

public sealed class EndpointNames
{
    public static TheoryData<ClientConfig, string> Configs { get; } = new()
    {
        { new AmazonEC2Config { RegionEndpoint = RegionEndpoint.EUCentral1 }, "https://ec2.eu-central-1.amazonaws.com" },
        { new AmazonEC2Config { RegionEndpoint = RegionEndpoint.CNNorth1 }, "https://ec2.cn-north-1.amazonaws.com.cn" },
        { new AmazonElasticLoadBalancingV2Config { RegionEndpoint = RegionEndpoint.USEast1 }, "https://elasticloadbalancing.us-east-1.amazonaws.com" },
        { new AmazonSQSConfig { RegionEndpoint = RegionEndpoint.USEast1 }, "https://sqs.us-east-1.amazonaws.com" },
        { new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = RegionEndpoint.USEast1 }, "https://metering.marketplace.us-east-1.amazonaws.com" },
        { new AmazonMarketplaceEntitlementServiceConfig { RegionEndpoint = RegionEndpoint.USEast1 }, "https://entitlement.marketplace.us-east-1.amazonaws.com" },
        { new AmazonEC2Config { ServiceURL = "http://127.0.0.1:4566" }, "http://127.0.0.1:4566/" },
    };

    [Theory]
    [MemberData(nameof(Configs))]
    public void Region_or_service_url_names_the_endpoint(ClientConfig config, string url) =>
        config.DetermineServiceOperationEndpoint(new ServiceOperationEndpointParameters(null!)).URL.ShouldBe(url);

    [Fact]
    public void Fips_is_refused_rather_than_ignored() =>
        Should.Throw<AmazonClientException>(() =>
            new AmazonEC2Config { RegionEndpoint = RegionEndpoint.USEast1, UseFIPSEndpoint = true }.DetermineServiceOperationEndpoint(new ServiceOperationEndpointParameters(null!)));
}
