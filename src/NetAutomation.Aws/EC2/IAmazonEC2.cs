using Amazon.EC2.Model;
using Amazon.Runtime;

namespace Amazon.EC2;

/// <summary>EC2, the provider side of PrivateLink (Amazon EC2 API Reference).</summary>
public interface IAmazonEC2 : IAmazonService, IDisposable
{
    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonEC2Config();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonEC2Client(awsCredentials, (AmazonEC2Config)clientConfig);

    /// <summary>Accepts endpoint connections; a 200 may still list unsuccessful items (EC2 API Reference, AcceptVpcEndpointConnections).</summary>
    Task<AcceptVpcEndpointConnectionsResponse> AcceptVpcEndpointConnectionsAsync(AcceptVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Lists the endpoint connections of the account's services (EC2 API Reference, DescribeVpcEndpointConnections).</summary>
    Task<DescribeVpcEndpointConnectionsResponse> DescribeVpcEndpointConnectionsAsync(DescribeVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Lists the account's endpoint services (EC2 API Reference, DescribeVpcEndpointServiceConfigurations).</summary>
    Task<DescribeVpcEndpointServiceConfigurationsResponse> DescribeVpcEndpointServiceConfigurationsAsync(DescribeVpcEndpointServiceConfigurationsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Lists the principals that may find a service (EC2 API Reference, DescribeVpcEndpointServicePermissions).</summary>
    Task<DescribeVpcEndpointServicePermissionsResponse> DescribeVpcEndpointServicePermissionsAsync(DescribeVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Adds and removes allowed principals (EC2 API Reference, ModifyVpcEndpointServicePermissions).</summary>
    Task<ModifyVpcEndpointServicePermissionsResponse> ModifyVpcEndpointServicePermissionsAsync(ModifyVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Rejects endpoint connections, also available ones; a 200 may still list unsuccessful items (EC2 API Reference, RejectVpcEndpointConnections).</summary>
    Task<RejectVpcEndpointConnectionsResponse> RejectVpcEndpointConnectionsAsync(RejectVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default);

    /// <summary>Has the TXT record of a private DNS name looked for (EC2 API Reference, StartVpcEndpointServicePrivateDnsVerification).</summary>
    Task<StartVpcEndpointServicePrivateDnsVerificationResponse> StartVpcEndpointServicePrivateDnsVerificationAsync(StartVpcEndpointServicePrivateDnsVerificationRequest request, CancellationToken cancellationToken = default);
}
