using Amazon;
using Amazon.AWSMarketplaceMetering;
using Amazon.ElasticLoadBalancingV2;
using Amazon.MarketplaceEntitlementService;
using Amazon.Runtime;
using Amazon.Runtime.Endpoints;

namespace NetAutomation.Tests.Aws;

public sealed class EndpointNameTests
{
    public static TheoryData<ClientConfig, string> Configs { get; } = new()
    {
        { new AmazonElasticLoadBalancingV2Config { RegionEndpoint = RegionEndpoint.CNNorth1 },
            "https://elasticloadbalancing.cn-north-1.amazonaws.com.cn" },
        { new AmazonElasticLoadBalancingV2Config { RegionEndpoint = RegionEndpoint.USEast1 },
            "https://elasticloadbalancing.us-east-1.amazonaws.com" },
        { new AmazonAWSMarketplaceMeteringConfig { RegionEndpoint = RegionEndpoint.USEast1 },
            "https://metering.marketplace.us-east-1.amazonaws.com" },
        { new AmazonMarketplaceEntitlementServiceConfig { RegionEndpoint = RegionEndpoint.USEast1 },
            "https://entitlement.marketplace.us-east-1.amazonaws.com" },
        { new AmazonElasticLoadBalancingV2Config { ServiceURL = "http://127.0.0.1:4566" }, "http://127.0.0.1:4566/" },
    };

    [Theory]
    [MemberData(nameof(Configs))]
    public void Region_or_service_url_names_the_endpoint(ClientConfig config, string url) =>
        config.DetermineServiceOperationEndpoint(new ServiceOperationEndpointParameters(null!)).URL.ShouldBe(url);

    [Fact]
    public void Fips_is_refused_rather_than_ignored() =>
        Should.Throw<AmazonClientException>(() =>
            new AmazonElasticLoadBalancingV2Config
            {
                RegionEndpoint = RegionEndpoint.USEast1, UseFIPSEndpoint = true
            }.DetermineServiceOperationEndpoint(
                    new ServiceOperationEndpointParameters(null!)));
}
