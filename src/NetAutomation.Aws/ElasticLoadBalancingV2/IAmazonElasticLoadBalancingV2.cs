using Amazon.ElasticLoadBalancingV2.Model;
using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>ELBv2, the target groups of load balancers (Elastic Load Balancing API Reference 2015-12-01).</summary>
public interface IAmazonElasticLoadBalancingV2 : IAmazonService, IDisposable
{
    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonElasticLoadBalancingV2Config();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonElasticLoadBalancingV2Client(awsCredentials, (AmazonElasticLoadBalancingV2Config)clientConfig);

    /// <summary>Takes targets out of a target group (ELBv2 API Reference, DeregisterTargets).</summary>
    Task<DeregisterTargetsResponse> DeregisterTargetsAsync(DeregisterTargetsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads the attributes of a target group (ELBv2 API Reference, DescribeTargetGroupAttributes).</summary>
    Task<DescribeTargetGroupAttributesResponse> DescribeTargetGroupAttributesAsync(
        DescribeTargetGroupAttributesRequest request, CancellationToken cancellationToken = default);

    /// <summary>Lists target groups (ELBv2 API Reference, DescribeTargetGroups).</summary>
    Task<DescribeTargetGroupsResponse> DescribeTargetGroupsAsync(
        DescribeTargetGroupsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads the health of targets (ELBv2 API Reference, DescribeTargetHealth).</summary>
    Task<DescribeTargetHealthResponse> DescribeTargetHealthAsync(
        DescribeTargetHealthRequest request, CancellationToken cancellationToken = default);

    /// <summary>Puts targets into a target group (ELBv2 API Reference, RegisterTargets).</summary>
    Task<RegisterTargetsResponse> RegisterTargetsAsync(RegisterTargetsRequest request, CancellationToken cancellationToken = default);
}
