using Amazon.ElasticLoadBalancingV2.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>Calls ELBv2, the target groups of load balancers (Elastic Load Balancing API Reference 2015-12-01).</summary>
public class AmazonElasticLoadBalancingV2Client : ServiceClient, IAmazonElasticLoadBalancingV2
{
    private static readonly QueryMarshaller _marshaller = new("Amazon.ElasticLoadBalancingV2", "2015-12-01");

    /// <summary>Takes the credentials from the SDK's default chain.</summary>
    public AmazonElasticLoadBalancingV2Client(AmazonElasticLoadBalancingV2Config config)
        : base(config)
    {
    }

    public AmazonElasticLoadBalancingV2Client(AWSCredentials credentials, AmazonElasticLoadBalancingV2Config clientConfig)
        : base(credentials, clientConfig)
    {
    }

    /// <inheritdoc/>
    public virtual Task<DeregisterTargetsResponse> DeregisterTargetsAsync(
        DeregisterTargetsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DeregisterTargetsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeTargetGroupAttributesResponse> DescribeTargetGroupAttributesAsync(
        DescribeTargetGroupAttributesRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeTargetGroupAttributesResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeTargetGroupsResponse> DescribeTargetGroupsAsync(
        DescribeTargetGroupsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeTargetGroupsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeTargetHealthResponse> DescribeTargetHealthAsync(
        DescribeTargetHealthRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeTargetHealthResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<RegisterTargetsResponse> RegisterTargetsAsync(
        RegisterTargetsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<RegisterTargetsResponse>(request, cancellationToken);

    protected override InvokeOptions Protocol<TResponse>() => new()
    {
        RequestMarshaller = _marshaller,
        ResponseUnmarshaller = new QueryUnmarshaller<TResponse, AmazonElasticLoadBalancingV2Exception>(),
    };
}
