using Amazon.Runtime;
using Amazon.Runtime.Credentials.Internal;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Auth;

namespace NetAutomation.Aws.Wire;

/// <summary>The part of a client that every service has: its calls go through the SDK's pipeline, with its endpoint and SigV4.</summary>
public abstract class ServiceClient : AmazonServiceClient
{
    protected ServiceClient(ServiceConfig config)
        : base(config)
    {
    }

    protected ServiceClient(AWSCredentials credentials, ServiceConfig config)
        : base(credentials, config)
    {
    }

    /// <summary>The service's protocol: how a request is written and its answer read.</summary>
    protected abstract InvokeOptions Protocol<TResponse>()
        where TResponse : AmazonWebServiceResponse, new();

    protected Task<TResponse> CallAsync<TResponse>(AmazonWebServiceRequest request, CancellationToken cancellationToken)
        where TResponse : AmazonWebServiceResponse, new() =>
        InvokeAsync<TResponse>(request, Protocol<TResponse>(), cancellationToken);

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        pipeline.RemoveHandler<EndpointResolver>();
        pipeline.AddHandlerAfter<Marshaller>(new EndpointHandler());
        pipeline.AddHandlerAfter<EndpointHandler>(new SigV4Handler());
    }

    private sealed class SigV4Handler : BaseAuthResolverHandler
    {
        protected override List<IAuthSchemeOption> ResolveAuthOptions(IExecutionContext executionContext) => AuthSchemeOption.DEFAULT_SIGV4;
    }
}
