using Amazon.EC2.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using NetAutomation.Aws.Wire;

namespace Amazon.EC2;

/// <summary>Calls EC2, the provider side of PrivateLink (Amazon EC2 API Reference).</summary>
public class AmazonEC2Client : AmazonServiceClient, IAmazonEC2
{
    private static readonly QueryMarshaller Marshaller = new(QueryDialect.Ec2);

    /// <summary>Takes the credentials from the SDK's default chain.</summary>
    public AmazonEC2Client(AmazonEC2Config config)
        : base(config)
    {
    }

    public AmazonEC2Client(AWSCredentials credentials, AmazonEC2Config clientConfig)
        : base(credentials, clientConfig)
    {
    }

    /// <inheritdoc/>
    public virtual Task<AcceptVpcEndpointConnectionsResponse> AcceptVpcEndpointConnectionsAsync(AcceptVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<AcceptVpcEndpointConnectionsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeVpcEndpointConnectionsResponse> DescribeVpcEndpointConnectionsAsync(DescribeVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeVpcEndpointConnectionsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeVpcEndpointServiceConfigurationsResponse> DescribeVpcEndpointServiceConfigurationsAsync(DescribeVpcEndpointServiceConfigurationsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeVpcEndpointServiceConfigurationsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeVpcEndpointServicePermissionsResponse> DescribeVpcEndpointServicePermissionsAsync(DescribeVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DescribeVpcEndpointServicePermissionsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<ModifyVpcEndpointServicePermissionsResponse> ModifyVpcEndpointServicePermissionsAsync(ModifyVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<ModifyVpcEndpointServicePermissionsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<RejectVpcEndpointConnectionsResponse> RejectVpcEndpointConnectionsAsync(RejectVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<RejectVpcEndpointConnectionsResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<StartVpcEndpointServicePrivateDnsVerificationResponse> StartVpcEndpointServicePrivateDnsVerificationAsync(StartVpcEndpointServicePrivateDnsVerificationRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<StartVpcEndpointServicePrivateDnsVerificationResponse>(request, cancellationToken);

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        Pipeline.Complete(pipeline);
        RetryPolicy retries = Config.RetryMode == RequestRetryMode.Adaptive ? new AdaptiveRetryPolicy(Config) : new StandardRetryPolicy(Config);
        retries.ThrottlingErrorCodes.Add("EC2ThrottledException");
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(retries));
    }

    private Task<TResponse> CallAsync<TResponse>(AmazonWebServiceRequest request, CancellationToken cancellationToken)
        where TResponse : AmazonWebServiceResponse, new()
    {
        var options = new InvokeOptions
        {
            RequestMarshaller = Marshaller,
            ResponseUnmarshaller = new QueryUnmarshaller<TResponse, AmazonEC2Exception>(QueryDialect.Ec2),
        };
        return InvokeAsync<TResponse>(request, options, cancellationToken);
    }
}
